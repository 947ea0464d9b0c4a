"""The worker: a supervisor, its children and a keeper, one class per life.

- ``supervisor`` forks, watches and kills. It has one thread and no connection. ``stop_signals`` reads its
  signals, and ``preflight`` checks before the start that the outbox belongs to this project.
- ``child`` is the process in which messages run. In its main thread the ``consumer`` claims and settles, in
  the order of ``polling``. The threads of a ``thread_pool`` run the jobs through the ``processor``, each in
  a clean ``runtime``; ``retries`` decides about failures.
- ``keeper`` extends the leases from a process of its own, so that a handler that holds the interpreter lock
  loses nothing. It writes the ``heartbeat``, and its ``reaper`` gives back what a dead child held. In threads
  of their own the ``recorder`` brings outcomes into the database, the ``scheduler`` sends what is due, and
  the ``sweeper`` removes what is left over. A ``guard`` lets each of them survive errors.
- ``shared_memory`` holds what each child runs at this moment, and its orders.

Each class with a loop has ``step(now)``, which does one turn and returns the seconds until the next one.
"""
