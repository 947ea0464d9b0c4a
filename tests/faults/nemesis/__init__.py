"""A run of random faults from a seed. Workers, Redis, database and network are struck while messages flow. At
the end everything recovers, and the invariants are checked.
"""
