"""Ends the deliveries of a dead child: overdue jobs fail, other messages return to the head of their queues.

A dead child cannot settle, so the keeper does it. For a job that ran past its time limit, a failed attempt is
counted, and the job's policy decides whether it is retried or dead.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from django.db import connections

from queueing import handlers
from queueing.broker import leases
from queueing.broker.leases import Delivery, QueueLease
from queueing.broker.outcomes import Outcome
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.context import Context
from queueing.exceptions import QueueUnavailable
from queueing.handlers import Runnable, ValueOf
from queueing.messages import Message
from queueing.text.errors import class_path, sentence

from .logging import OutcomeLog
from .retries import TimedOut, verdict
from .shared_memory import Running

logger = logging.getLogger("queueing.worker")


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a child. ``overdue`` are the messages that it ran past their time limit.

    ``started`` are the ids of other messages that the child had started: a crash is counted for each of them.
    """

    child: str
    started: list[str]
    reason: str
    overdue: list[Running] = field(default_factory=list)


class Reaper:
    """Ends the deliveries of dead children. ``add`` lists a child, and ``step`` works through the list."""

    def __init__(self, client: QueueClient, config: Config, queues: Sequence[str]) -> None:
        self.client, self.config, self.queues = client, config, queues
        self._deaths: deque[Death] = deque()
        self._log = OutcomeLog(log_jobs=False)
        #: Whether new outcomes were written to the outbox. The keeper resets this flag.
        self.has_recorded = False

    @property
    def is_done(self) -> bool:
        return not self._deaths

    def add(self, death: Death) -> None:
        self._deaths.append(death)

    def step(self) -> None:
        """End the deliveries of each dead child, in the order in which the children died.

        Raises ``QueueUnavailable``. The next call then continues with the same child.
        """
        while self._deaths:
            death = self._deaths[0]
            failed: list[tuple[str, Exception]] = []
            for number, queue in enumerate(self.queues):
                overdue = [running for running in death.overdue if running.queue == number]
                try:
                    self._settle(death.child, queue, overdue)
                    self._abandon(death, queue)
                except QueueUnavailable:
                    raise
                except Exception as error:
                    failed.append((queue, error))
            # Before the log: if a log handler of the project raises, this death must not be handled again.
            self._deaths.popleft()
            for queue, problem in failed:
                logger.error(
                    "%s: %s; what %s held is given back when its lease ends", queue, problem, death.child
                )

    def _settle(self, child: str, queue: str, overdue: list[Running]) -> None:
        if not overdue:
            return
        now_ms = self.client.now_ms()
        for outcome in settle_overdue(self.client, self.config, child, queue, overdue, now_ms=now_ms):
            self._log.write(outcome)
            self.has_recorded = True

    def _abandon(self, death: Death, queue: str) -> None:
        count = leases.abandon(
            self.client.session, self.config, queue, death.child, started=death.started, reason=death.reason
        )
        # Messages that were to be stopped are cancelled, and not counted.
        self.has_recorded = True
        if count:
            noun = "message" if count == 1 else "messages"
            logger.warning("%s gave back %d %s of %s: %s", death.child, count, noun, queue, death.reason)


#: How long a back-off function may run in the keeper.
BACK_OFF_SECONDS = 1.0


class Late:
    """Implements ``queueing.context.Runtime`` for a job whose process is dead."""

    is_stopping = True

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def stop_reason(self, delivery: Delivery) -> None:
        """Return ``None``: the script that gives back the messages also handles requests to stop them."""

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        """Ignore a report of progress, because the run has already ended."""


class _Bounded:
    """A ``Runnable`` with a time limit for its back-off function, because the keeper extends no lease while
    this function runs.
    """

    def __init__(self, runnable: Runnable) -> None:
        self._runnable = runnable
        self.name, self.policy = runnable.name, runnable.policy

    def run(self, context: Context, value_of: ValueOf) -> str:
        """Never called, because the process of the run is dead."""
        raise NotImplementedError

    def delay_seconds(self, error: BaseException, context: Context) -> float:
        if not callable(self.policy.backoff):
            return self._runnable.delay_seconds(error, context)
        found: Future[float] = Future()

        def ask() -> None:
            try:
                found.set_result(self._runnable.delay_seconds(error, context))
            except BaseException as raised:
                found.set_exception(raised)
            finally:
                connections.close_all()

        threading.Thread(target=ask, name="back-off", daemon=True).start()
        try:
            return found.result(BACK_OFF_SECONDS)
        except TimeoutError:
            if found.done():
                raise
            raise TimeoutError(f"it did not return within {BACK_OFF_SECONDS:g} s") from None


def settle_overdue(
    client: QueueClient, config: Config, child: str, queue: str, overdue: Sequence[Running], *, now_ms: float
) -> list[Outcome]:
    """Settle messages of ``queue`` whose time limit passed while the child process ``child`` ran them.

    The child has died, and ``overdue`` are these messages. Returns the outcomes of those that were settled.

    Raises ``QueueError``. The same call may then be repeated.
    """
    lease = QueueLease(client.session, config, child, queue)
    # The child may have claimed again what it ran. Its lease has only the last delivery.
    last = {running.id: running for running in sorted(overdue, key=lambda running: running.rc)}
    outcomes = [_outcome(client, config, child, queue, running, now_ms) for running in last.values()]
    refused = lease.read_settle(client.session.call(lease.settle_last(outcomes)))
    ended = [replace(outcome, event=refused.get(outcome.id, outcome.event)) for outcome in outcomes]
    return [outcome for outcome in ended if outcome.event.is_settled]


def _outcome(
    client: QueueClient, config: Config, child: str, queue: str, running: Running, now_ms: float
) -> Outcome:
    error = TimedOut(running.limit_seconds)
    found = client.peek_message(queue, running.id)
    message = Message(running.id, found.body if found else "", running.rc, 0, 0.0)
    delivery = Delivery(queue, message, running.failed, running.crashed, 0)
    context = Context(delivery, Late(child))
    runnable = _code(queue, message)
    event, delay_ms, note = verdict(runnable, context, error, max_attempts=config.MAX_ATTEMPTS)
    return delivery.ended(
        event,
        child,
        handler=runnable.name if runnable else "",
        started_ms=running.started_ms,
        finished_ms=now_ms,
        attempts=context.attempt,
        error=sentence(error),
        traceback=note,
        error_class=class_path(error),
        delay_ms=delay_ms,
        is_reported=False,
        exception=error,
    )


def _code(queue: str, message: Message) -> Runnable | None:
    try:
        return _Bounded(handlers.find(queue, message))
    except BaseException as error:
        logger.warning("%s %s: its policy cannot be found: %s", queue, message.id, sentence(error))
        return None
