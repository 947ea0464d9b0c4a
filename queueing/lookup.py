"""Where a message is in its life: in the queue, in the outbox, or in the history.

A message moves from the queue to the outbox in one step, and leaves the outbox only once it is in
the database. So whoever looks in that order finds it in at least one place.
"""

import logging
from dataclasses import dataclass

from django.db import DatabaseError

from . import get_client, outbox
from .client import QueueClient
from .exceptions import QueueNotFound
from .messages import PeekedMessage, sent_ms
from .models import Job
from .outcomes import Outcome

logger = logging.getLogger("queueing")

#: Entries of the outbox that a look reads: a page never reads a whole backlog of them.
OUTBOX_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message and the word for where it is. Times are ms epochs by the server's clock."""

    id: str
    queue: str
    state: str
    body: str
    sent_ms: float
    attempts: int = 0
    started_ms: float | None = None
    finished_ms: float | None = None
    error: str = ""


def recent(queue: str, *, limit: int = 20, client: QueueClient | None = None) -> list[MessageState]:
    """The newest messages of ``queue`` by their sending, settled or not, newest first.

    Raises ``QueueUnavailable``. With the database away the history is missing from it.
    """
    client = client or get_client()
    found: dict[str, MessageState] = {}
    try:
        live = client.peek_messages(queue, count=limit, newest=True)
    except QueueNotFound:
        live = []
    pending = [outcome for outcome in outbox.newest(client, count=OUTBOX_ENTRIES) if outcome.queue == queue]
    rows = _rows(Job.objects.filter(queue=queue).order_by("-finished_at", "-id")[:limit])
    # The first word wins: what is in the queue is there now, whatever was recorded before.
    for state in [
        *(_live(queue, message) for message in live),
        *(_pending(outcome) for outcome in reversed(pending)),
        *rows,
    ]:
        found.setdefault(state.id, state)
    return sorted(found.values(), key=lambda state: (state.sent_ms, state.id), reverse=True)[:limit]


def state_of(queue: str, message_id: str, *, client: QueueClient | None = None) -> MessageState | None:
    """Where this message is, or ``None``: it was never there or is no longer remembered.

    Raises ``QueueUnavailable``, ``InvalidFormat``.
    """
    client = client or get_client()
    try:
        message = client.peek_message(queue, message_id)
    except QueueNotFound:
        message = None
    if message:
        return _live(queue, message)
    for outcome in reversed(outbox.newest(client, count=OUTBOX_ENTRIES)):
        if (outcome.queue, outcome.id) == (queue, message_id):
            return _pending(outcome)
    rows = _rows(Job.objects.filter(queue=queue, message_id=message_id)[:1])
    return rows[0] if rows else None


def _live(queue: str, message: PeekedMessage) -> MessageState:
    return MessageState(message.id, queue, message.state, message.body, message.sent)


def _pending(outcome: Outcome) -> MessageState:
    return MessageState(
        outcome.id, outcome.queue, outcome.event, outcome.body, sent_ms(outcome.id), outcome.attempts,
        outcome.started_ms, outcome.finished_ms, outcome.error,
    )  # fmt: skip


def _rows(jobs) -> list[MessageState]:
    try:
        return [_row(job) for job in jobs]
    except DatabaseError as error:
        logger.warning("the history is away: %s", type(error).__name__)
        return []


def _row(job: Job) -> MessageState:
    return MessageState(
        job.message_id, job.queue, job.state, job.body, sent_ms(job.message_id), job.attempts,
        job.started_at and job.started_at.timestamp() * 1000, job.finished_at.timestamp() * 1000, job.error,
    )  # fmt: skip
