"""``make run``: page, worker and Redis for development, with a database of its own.

It has two processes. The first one (``front``) is attached to the terminal and passes signals on. The second
one, the supervisor (``run``), starts, watches and stops the programs. It stops them even if the process of
``front`` is killed.
"""
