"""``make run``: page, worker and Redis for development, with a database of their own.

Two processes: ``front`` has the terminal and passes signals on. ``run`` behind it starts the programs,
watches them and stops them, also if the front is killed.
"""
