"""Metrics of queues over time, for charts, rates and scrapes. They are read from Redis on request.

Workers count each message that they settle. Once a minute, one worker samples all queues of the namespace,
also those that only other programs use. ``lua/lib/metrics.lua`` lists the stored values and their lifetimes.
"""
