"""The worker: a supervisor, its children and a keeper, one class per life.

- ``supervisor`` forks, watches and kills. It has one thread and no connection.
- ``child`` is the process in which messages run: a ``consumer`` claims and settles in its main
  thread, a ``crew`` of threads runs the handlers through the ``processor``.
- ``keeper`` extends the leases from a process of its own, so that a handler that holds the
  interpreter lock loses nothing, gives back what a dead child held, and in a second thread has the
  ``recorder`` bring the outcomes into the database.
- ``board`` is memory that they share: what each child runs at this moment.
"""
