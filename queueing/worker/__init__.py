"""The worker: a supervisor, its child processes and a keeper process.

- ``supervisor`` forks, watches and kills processes. It has one thread and no connection to Redis or to a
  database. ``stop_signals`` reads the supervisor's signals. Before a worker starts, ``preflight`` checks the
  format of the keys and the owner of the outbox.
- ``child`` is a process in which messages run. The ``consumer`` claims and settles messages, and ``polling``
  decides about the order of the queues. The ``consumer`` runs in the main thread or, if there is only one
  thread for jobs and it is free, in that thread (``lead``). The threads of a ``thread_pool`` run the jobs
  through the ``processor``, each in a clean ``runtime``; ``retries`` decides about failures.
- ``keeper`` extends the leases. It is a separate process, because a handler may hold the interpreter lock.
  It sends the ``heartbeat``, and its ``reaper`` gives back the messages of a dead child. It has threads for
  the ``recorder``, which writes outcomes to the database, the ``scheduler``, which sends due messages of
  schedules, the ``relay`` and the ``forwarder``, which send messages that other processes have left unsent,
  and the ``sweeper``, which deletes left-over data. A ``guard`` keeps each of these threads running after an
  error.
- ``shared_memory`` holds what each child runs at this moment, and the orders to each child.

Each class with a loop has a method ``step``, which does one iteration of the loop and returns the seconds
until the next one.
"""
