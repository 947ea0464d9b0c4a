"""Transactional enqueue: messages that a transaction writes into a table, and that are sent after its commit.

This pattern is known as a transactional outbox. In this package, "outbox" already means the list of outcomes,
so these messages are called staged. A message is staged until Redis has acknowledged it and its row is
deleted.
"""
