"""``make run``: page, worker and Redis for development, with a database of its own.

It has two processes. ``front`` has the terminal and passes signals on. ``run`` starts, watches and stops the
programs, even if the front is killed.
"""
