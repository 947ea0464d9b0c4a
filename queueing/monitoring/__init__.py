"""Figures of queues over time: what charts, rates and scrapers show, read from Redis when asked.

Workers count what they settle, to the message, and one of them notes once a minute how every queue of
the namespace stands, whoever uses it: see ``lua/lib/metrics.lua`` for what is kept and for how long.
"""
