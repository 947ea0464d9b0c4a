"""Alerts, the state of workers, and metrics of queues over time. All are read from Redis on request.

Workers count each delivery when it ends. Once a minute, one worker samples all queues of the namespace, also
those that only other programs use. ``lua/lib/metrics.lua`` lists the stored values and their lifetimes.
"""
