"""The place of a job's message now, which the history does not know, and the actions possible there."""

from collections.abc import Iterator
from dataclasses import dataclass

import queueing
from queueing.admin.base import trouble_of
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.exceptions import InvalidFormat, MissingParameter, QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import PeekedMessage
from queueing.models import Job

#: There is no such queue, or it has a name that only a foreign program would give.
NOT_THERE = (QueueNotFound, InvalidFormat, MissingParameter)


@dataclass(frozen=True, slots=True)
class Now:
    """``state`` is the state of the message in its queue, ``dead`` for one among the dead letters, and ``""``
    for one that is in neither. It is ``unknown`` if Redis is away or refuses, and ``unreadable`` if a key of
    the queue is spoilt.

    ``queue`` is the queue that holds it. ``verbs`` are the names of the actions that are possible.
    ``trouble`` is the sentence with which Redis refuses.
    """

    state: str
    queue: str = ""
    due_ms: int | None = None
    verbs: tuple[str, ...] = ()
    trouble: str = ""


def now(job: Job) -> Now:
    """Ask Redis. An unresponsive Redis costs one time-out."""
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
        # "Not there" would offer to run again what may be in its queue.
        return Now("unreadable")


def is_there(queue: str) -> bool:
    """Whether the queue has a page: a job is kept longer than its queue. True if Redis does not answer."""
    try:
        return bool(queueing.get_client().queue_figures([queue]))
    except QueueError:
        return True


def _dead_letter_queue(job: Job) -> str:
    """The queue of its dead letters, empty where the job has none."""
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
