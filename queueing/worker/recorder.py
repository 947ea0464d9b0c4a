"""Drains the outbox into the database: one row for each message, and one row for each delivery.

An entry is deleted from the outbox only after its rows are committed. To write the same rows again is
harmless.
"""

import logging
import threading
import time
from dataclasses import replace
from functools import partial

from django.db import DatabaseError, connections, reset_queries

from queueing.broker import outbox
from queueing.broker.outcomes import Outcome
from queueing.broker.recorded import is_recorded
from queueing.broker.task_body import is_task
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import NotOwner
from queueing.history import ownership, schema, writer
from queueing.models import Job
from queueing.signals import emit_finished

from .database import tend_connections
from .guard import Guard
from .processes import end_if_fork
from .server_clock import Clock
from .two_writers import TwoWriters

logger = logging.getLogger("queueing.worker")

#: Outbox entries per read.
ENTRIES = 50
#: After a wake-up, a recorder that is not behind waits this long for more outcomes. A transaction for each
#: tiny job would cost more CPU time than the job.
GATHER_SECONDS = 0.1
#: Without a wake-up the recorder checks the outbox this often, for outcomes of other workers.
POLL_SECONDS = 30.0
#: The pause if the recorder of another worker is at work.
YIELD_SECONDS = 1.0
#: A recorder that found entries of a newer release pauses for this long. Then a recorder of the newer
#: release, which tries again after YIELD_SECONDS, can record.
GIVE_WAY_SECONDS = outbox.GIVING_WAY_MS / 1000 + YIELD_SECONDS
MAX_PAUSE_SECONDS = 15.0
PRUNE_SECONDS = 60.0


class Recorder:
    """The recorder of one worker. ``run`` is the loop of its thread; ``step`` does one iteration."""

    def __init__(
        self, client: QueueClient, config: Config, *, name: str, clock: Clock = time.monotonic
    ) -> None:
        self.client, self.config, self.name, self.clock = client, config, name, clock
        self._wanted = threading.Event()
        self._leaves = threading.Event()
        self._ended = threading.Event()
        self._finish_by: float | None = None
        self._failures = 0
        self._guard, self._writers = Guard("recorder"), TwoWriters()
        self._is_behind = False
        #: The last entry that was read in this pass through the outbox, and the identity of the database.
        #: They are ``""`` while unknown.
        self._after = self._identity = ""
        #: Whether the outbox belongs to the database of this worker.
        self.is_owner = True
        self._gives_way_until = 0.0
        self._has_logged_newer = self._has_logged_failure = False
        self._next_prune = clock() + PRUNE_SECONDS

    def wake(self) -> None:
        """Wake ``run``, because the outbox has a new entry."""
        self._wanted.set()

    def finish(self, seconds: float) -> None:
        """Wait until ``run`` has recorded the remaining outcomes and has ended, but at most ``seconds``."""
        self._finish_by = self.clock() + seconds
        self._leaves.set()
        self._wanted.set()
        self._ended.wait(seconds)

    def run(self) -> None:
        """Call ``step`` repeatedly. After a call of ``finish``, return when all outcomes are recorded or the
        time limit of ``finish`` is over.
        """
        pause_seconds, is_over = 0.0, False
        while not is_over:
            was_woken = self._wanted.wait(min(pause_seconds, 0.5) if self._finish_by else pause_seconds)
            if was_woken and not self._is_behind:
                self._leaves.wait(GATHER_SECONDS)
            self._wanted.clear()
            # Read before the step: this step may have read the outbox before the last outcome was in it.
            finish_by = self._finish_by
            pause_seconds = self.step(self.clock())
            if finish_by is not None:
                is_over = pause_seconds == POLL_SECONDS or self.clock() > finish_by
        self._writers.rest()
        connections.close_all()
        self._ended.set()

    def step(self, now: float) -> float:
        """Do one iteration of the loop. Returns the seconds until the next one, 0 if outcomes are left."""
        return self._guard.turn(partial(self._turn, now))

    def _turn(self, now: float) -> float:
        try:
            pause_seconds = self._record(now)
            self._prune(now)
        except DatabaseError as error:
            return self._failed(error)
        except NotOwner as error:
            return self._refused(error)
        except BaseException:
            self._after = ""
            connections.close_all()
            raise
        self._failures = 0
        if self._has_logged_failure and pause_seconds in (0.0, POLL_SECONDS):
            self._has_logged_failure = False
            logger.warning("the history is written again")
        return pause_seconds

    def _record(self, now: float) -> float:
        if (pause_seconds := self._gives_way_until - now) > 0 and not self._finish_by:
            return pause_seconds
        if not self._identity:
            self._identity = self._begin()
        entries = outbox.read(
            self.client.session, self.name, count=ENTRIES, after=self._after, identity=self._identity
        )
        if not self.is_owner:
            self.is_owner = True
            logger.warning("the outbox belongs to the database of this project now; this worker claims again")
        if entries is None:
            return YIELD_SECONDS
        self._is_behind = len(entries) + entries.newer == ENTRIES
        if not entries.last:
            self._after = ""
            self._writers.rest()
            tend_connections()
            return POLL_SECONDS
        outcomes = [outcome for entry in entries for outcome in entry.outcomes]
        self._writers.write([self._allowed(one) for one in outcomes if is_recorded(self.config, one)])
        reset_queries()  # With DEBUG each query is kept.
        outbox.drop(self.client.session, entries)
        if entries.newer:
            self._leave_to_newer(entries, now)
        # After the rows are written, because receivers may be slow, and may read them.
        for outcome in outcomes:
            if not outcome.is_reported:
                emit_finished(outcome)
                end_if_fork()
                # A transaction that a receiver left open would swallow the history.
                tend_connections()
        return 0.0

    def _begin(self) -> str:
        """Check the tables, at the start and after an error. Returns the identity of the database."""
        if problem := schema.problem(Job.objects.db):
            raise DatabaseError(problem)
        return ownership.identity(self.client)

    def _leave_to_newer(self, entries: outbox.Batch, now: float) -> None:
        self._after = entries.last
        self._gives_way_until = now + GIVE_WAY_SECONDS
        if not self._has_logged_newer:
            self._has_logged_newer = True
            logger.warning(
                "the outbox holds entries that a newer release wrote; "
                "this recorder leaves them to a worker of that release"
            )

    def _allowed(self, outcome: Outcome) -> Outcome:
        """The outcome, without its payload if ``STORE_BODIES`` is false. Some scripts write payloads to the
        outbox in spite of this setting.

        The payload of a task is always kept, because the task's result contains the arguments.
        """
        if self.config.STORE_BODIES or is_task(outcome.body):
            return outcome
        return replace(outcome, body="", body_is_whole=False)

    def _prune(self, now: float) -> None:
        if now >= self._next_prune:
            writer.prune(days=self.config.HISTORY_DAYS, rows=self.config.HISTORY_ROWS)
            self._next_prune = now + PRUNE_SECONDS

    def _refused(self, error: NotOwner) -> float:
        # The database may have been emptied or restored since its identity was read.
        self._identity = ""
        if self.is_owner:
            self.is_owner = False
            logger.error("%s. Until then this worker claims nothing", error)
        return MAX_PAUSE_SECONDS

    def _failed(self, error: DatabaseError) -> float:
        self._writers.rest()
        connections.close_all()
        self._failures += 1
        self._after = self._identity = ""
        if not self._has_logged_failure:
            self._has_logged_failure = True
            text = "the history waits in Redis, the database refuses it: %s"
            logger.warning(text, _explanation(error))
        return min(0.25 * 2.0 ** min(self._failures, 10), MAX_PAUSE_SECONDS)


def _explanation(error: DatabaseError) -> str:
    """Explain a database error: by a problem with the tables or, without such a problem, by its own text."""
    try:
        return schema.problem(Job.objects.db) or writer.sentence(error)
    except DatabaseError:
        return writer.sentence(error)
