"""Transactional enqueue: messages that a transaction writes into a table, and that are sent after its commit.

This pattern is known as a transactional outbox. In this package, the outbox holds outcomes, so these messages
are called staged: a row is a staged message until Redis has acknowledged it.
"""
