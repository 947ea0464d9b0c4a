"""The page of a job: its timeline, the queue in which its message is now, and the possible actions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.db.models.functions import Left

import queueing
from queueing.admin.base import trouble_of
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.exceptions import InvalidFormat, MissingParameter, QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import PeekedMessage
from queueing.models import Attempt, Job

#: The page of a job shows this number of attempts, the newest ones. The limits for the characters of each
#: error and traceback are higher than those of the recorder.
ATTEMPTS_SHOWN = 50
ERROR_SHOWN, TRACEBACK_SHOWN = 4_000, 16_384
#: The errors for a queue that does not exist, and for names and ids that RSMQ does not allow.
NOT_THERE = (QueueNotFound, InvalidFormat, MissingParameter)


@dataclass(frozen=True, slots=True)
class Now:
    """The present state of a job's message in Redis.

    ``queue`` is the queue that has the message. ``verbs`` are the names of the possible actions. ``state`` is
    the state of the message in its queue, or one of these:

    - ``dead``: the message is in the dead-letter queue.
    - ``""``: the message is neither in its queue nor in the dead-letter queue.
    - ``unknown``: Redis does not answer, or refuses the call for the reason ``trouble``.
    - ``unreadable``: the queue cannot be read, for example because a key has the wrong type.
    """

    state: str
    queue: str = ""
    due_ms: int | None = None
    verbs: tuple[str, ...] = ()
    trouble: str = ""


def now(job: Job) -> Now:
    """Read the present state of the job's message. If Redis is down, this costs a single timeout."""
    try:
        found = _peek(job.queue, job.message_id)
        if found:
            due_ms = found.due_ms if State(found.state).is_due_later else None
            return Now(found.state, job.queue, due_ms, tuple(_verbs(job, found.state)))
        dead = _dead_letter_queue(job)
        if dead and _peek(dead, job.message_id):
            return Now(State.DEAD, dead, None, tuple(_verbs(job, State.DEAD)))
        return Now("", verbs=tuple(_verbs(job, "")))
    except QueueUnavailable as error:
        return Now("unknown", trouble=trouble_of(error))
    except QueueError:
        # The state must not be ``""`` here: the page would then offer to run the job again. But the queue may
        # still have the message, so the job could run twice.
        return Now("unreadable")


def is_there(queue: str) -> bool:
    """Whether the queue exists. The history may keep a job longer than its queue exists.

    Returns ``True`` if an error prevents the check, for example if Redis does not answer.
    """
    try:
        return bool(queueing.get_client().queue_figures([queue]))
    except QueueError:
        return True


def _dead_letter_queue(job: Job) -> str:
    """The name of the dead-letter queue in which the message of a dead job may be.

    Returns ``""`` if the job is not dead, or if its queue does not exist or is itself a dead-letter queue.
    """
    if job.state != State.DEAD or is_dead_letter_queue(job.queue):
        return ""
    client = queueing.get_client()
    try:
        return client.get_queue_policy(job.queue).dead_letter_queue or client.dead_letter_queue(job.queue)
    except NOT_THERE:
        return ""


def _peek(queue: str, id: str) -> PeekedMessage | None:
    try:
        return queueing.get_client().peek_message(queue, id)
    except NOT_THERE:
        return None


def _verbs(job: Job, state: str) -> Iterator[str]:
    if job.body_is_whole and state in ("", State.DEAD):
        yield "rerun"
    if state == State.DEAD:
        yield "redrive"
    if state in (State.READY, State.DELAYED, State.RETRYING):
        yield "cancel"


@dataclass(frozen=True, slots=True)
class Event:
    """One step in the timeline of a job.

    ``after_seconds`` is the time since the previous step, ``None`` for the first step.
    """

    at: datetime
    word: str
    after_seconds: float | None = None
    rc: int | None = None
    worker: str = ""
    error: str = ""
    traceback: str = ""
    #: Whether this is the last step with a traceback. The page shows that traceback expanded.
    is_last_traceback: bool = False


def events(job: Job) -> list[Event]:
    """The steps of a job in order of time: sent, then the start and the outcome of each attempt."""
    steps = [Event(job.sent_at, "sent")] if job.sent_at else []
    for attempt in _attempts(job):
        if attempt.started_at:
            steps.append(Event(attempt.started_at, State.RUNNING, rc=attempt.rc, worker=attempt.worker))
        steps.append(
            Event(
                attempt.finished_at,
                attempt.outcome,
                rc=attempt.rc,
                worker=attempt.worker,
                error=attempt.error_start,
                traceback=attempt.traceback_start,
            )
        )
    for number in reversed(range(len(steps))):
        if steps[number].traceback:
            steps[number] = replace(steps[number], is_last_traceback=True)
            break
    return _with_gaps(steps)


def _attempts(job: Job) -> list[Attempt]:
    """The newest ``ATTEMPTS_SHOWN`` recorded attempts, oldest first.

    If no attempt is recorded, the result is one attempt that is made from the fields of the job.
    """
    rows = job.history.order_by("-rc").defer("error", "traceback")
    rows = rows.annotate(
        error_start=Left("error", ERROR_SHOWN), traceback_start=Left("traceback", TRACEBACK_SHOWN)
    )
    if recorded := list(rows[:ATTEMPTS_SHOWN])[::-1]:
        return recorded
    own = Attempt(
        rc=job.rc,
        outcome=job.state,
        started_at=job.started_at,
        finished_at=job.finished_at,
        worker=job.worker,
    )
    own.error_start, own.traceback_start = job.error_start[:ERROR_SHOWN], ""
    return [own]


def _with_gaps(steps: list[Event]) -> list[Event]:
    return steps[:1] + [
        replace(step, after_seconds=(step.at - before.at).total_seconds()) for before, step in pairwise(steps)
    ]
