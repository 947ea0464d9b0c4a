"""Transactional enqueue: messages that a transaction writes into a table, and that are sent after its commit.

The field calls this a transactional outbox. The outbox of this package holds outcomes, so these messages are
called staged: a row is a staged message until Redis has acknowledged it.
"""
