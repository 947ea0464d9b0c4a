"""Writes a large batch of outcomes with two database connections at the same time.

With one connection, the recorder would wait while PostgreSQL inserts rows. Only PostgreSQL gets a second
connection: on SQLite, for example, only one connection can write.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue

from django.db import connections, reset_queries

from queueing.broker.outcomes import Outcome
from queueing.history import writer
from queueing.models import Job

#: Batches of at least this size are written with two connections. A recorder that is not behind needs one.
LARGE = 2000

_Work = SimpleQueue[tuple[Sequence[Outcome], "Future[None]"] | None]


class TwoWriters:
    """Writes in the caller's thread and, for large batches, also in a second thread.

    ``rest`` ends the second thread.
    """

    def __init__(self) -> None:
        self._work: _Work | None = None

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes to the database. Raises ``DatabaseError``; the call may then be repeated."""
        if len(outcomes) < LARGE or connections[Job.objects.db].vendor != "postgresql":
            writer.write(outcomes)
            return
        parts: tuple[list[Outcome], list[Outcome]] = ([], [])
        for outcome in outcomes:
            # The outcomes of one message stay together, in their order.
            parts[hash(outcome.id) & 1].append(outcome)
        written: Future[None] = Future()
        self._started().put((parts[1], written))
        try:
            writer.write(parts[0])
        finally:
            # Both parts must end before the caller deletes entries of the outbox or writes later ones.
            failure = written.exception()
        if failure:
            raise failure

    def rest(self) -> None:
        """End the second thread and its connection. The next large batch starts a new one."""
        if self._work:
            self._work.put(None)
            self._work = None

    def _started(self) -> _Work:
        if self._work is None:
            self._work = SimpleQueue()
            threading.Thread(target=_run, args=(self._work,), name="second recorder", daemon=True).start()
        return self._work


def _run(work: _Work) -> None:
    while given := work.get():
        outcomes, written = given
        try:
            writer.write(outcomes)
        except BaseException as error:
            connections.close_all()
            written.set_exception(error)
        else:
            reset_queries()  # With DEBUG each query is kept.
            written.set_result(None)
    connections.close_all()
