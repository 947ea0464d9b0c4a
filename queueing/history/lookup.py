"""Looks up the state of messages in the queue, then in the outbox, then in the history (the database).

The script that removes a message from its queue also writes its outcome to the outbox, a stream in Redis. The
outcome stays there until it is in the database. So a lookup in this order finds every message, except while
the outbox is long, because only the newest entries of the outbox are read.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.db import DatabaseError
from django.db.models import QuerySet
from django.db.models.functions import Left

from queueing import get_client
from queueing.broker import outbox, task_body
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import MessageState, PeekedMessage, sent_ms
from queueing.models import Job
from queueing.text.errors import ERROR_CHARACTERS

logger = logging.getLogger("queueing")

#: A lookup reads this many entries of the outbox, so that a page does not read a whole backlog.
OUTBOX_ENTRIES = 20
#: A lookup reads this many bytes of the body of a message in the queue.
BODY_BYTES = 16_384
#: A list that would be too long keeps at least this many ready messages. Further ready messages are left out
#: before messages in other states.
READY_KEPT = 6


def recent(*queues: str, limit: int = 20, client: QueueClient | None = None) -> list[MessageState]:
    """The newest messages of these queues, at most ``limit``, newest first.

    Messages that have ended are included. If more messages exist, ready ones are left out first, so that the
    list of a busy queue also shows running and ended ones. If the database does not answer, messages that are
    only in the history are missing. Raises ``QueueUnavailable``.
    """
    client = client or get_client()
    live = [state for queue in queues for state in _in_queue(client, queue, limit)]
    pending = [_pending(outcome) for outcome in _outcomes(client, queues) if outcome.queue in queues]
    rows = _rows(
        *(Job.objects.filter(queue=queue).order_by("-finished_at", "-id")[:limit] for queue in queues)
    )
    states = list(_joined([*live, *pending, *rows]))
    return _telling(sorted(states, key=lambda state: (state.sent_ms, state.id), reverse=True), limit)


def state_of(queue: str, message_id: str, *, client: QueueClient | None = None) -> MessageState | None:
    """The state of one message, or ``None`` if neither the queue, the outbox nor the history has it.

    Only the newest entries of the outbox are searched. If the database does not answer, the history is not
    searched. Raises ``QueueUnavailable``, ``InvalidFormat``.
    """
    client = client or get_client()
    try:
        message = client.peek_message(queue, message_id, body_bytes=BODY_BYTES)
    except QueueNotFound:
        message = None
    live = _told(client, queue, [message]) if message else []
    pending = [
        _pending(outcome)
        for outcome in _outcomes(client, [queue])
        if (outcome.queue, outcome.id) == (queue, message_id)
    ]
    if pending and not live:
        return _completed(pending[0])
    rows = _rows(Job.objects.filter(queue=queue, message_id=message_id)[:1])
    return next(_joined([*live, *pending, *rows]), None)


def _joined(states: Iterable[MessageState]) -> Iterator[MessageState]:
    """Return one state for each message: its first state in ``states``, completed by ``_completed``.

    A state from the queue lacks the number of attempts, the last error and the handler. They are copied from
    the message's next state in ``states``, which describes its last run.
    """
    found: dict[str, MessageState] = {}
    for state in states:
        known = found.setdefault(state.id, state)
        if not known.finished_ms and not known.attempts and state.finished_ms:
            found[state.id] = replace(
                known, attempts=state.attempts, error=state.error, handler=state.handler or known.handler
            )
    return map(_completed, found.values())


def _completed(state: MessageState) -> MessageState:
    """A copy of ``state`` that also has the fields ``attempt`` and ``task`` (see ``MessageState``)."""
    is_next = state.attempts > 0 and state.state in (State.READY, State.RUNNING)
    task = (task_body.name_in(state.body) or state.handler) if task_body.is_task(state.body) else ""
    return replace(state, attempt=state.attempts + is_next, task=task)


def _telling(states: list[MessageState], limit: int) -> list[MessageState]:
    ready = [state.id for state in states if state.state == State.READY]
    spare = max(0, min(len(states) - limit, len(ready) - READY_KEPT))
    left_out = set(ready[len(ready) - spare :])
    return [state for state in states if state.id not in left_out][:limit]


def _in_queue(client: QueueClient, queue: str, limit: int) -> list[MessageState]:
    try:
        messages = client.peek_messages(queue, count=limit, newest=True, body_bytes=BODY_BYTES)
    except QueueNotFound:
        return []
    return _told(client, queue, messages)


def _told(client: QueueClient, queue: str, messages: list[PeekedMessage]) -> list[MessageState]:
    """The states of ``messages``, which are in the queue. Running messages have their progress."""
    running = [message.id for message in messages if message.state == State.RUNNING]
    told = client.progress_of(queue, running)
    states = []
    for message in messages:
        due_ms = message.due_ms if State(message.state).is_due_later else None
        state = MessageState(message.id, queue, message.state, message.body, message.sent, due_ms=due_ms)
        if progress := told.get(message.id):
            state = replace(state, progress=progress.fraction, note=progress.note)
        states.append(state)
    return states


def _outcomes(client: QueueClient, queues: Sequence[str]) -> list[Outcome]:
    """The newest outcomes in the outboxes of the partitions that store ``queues``.

    The outcomes of each partition are sorted, newest first.

    Returns ``[]`` if Redis refuses to read an outbox. Raises ``QueueUnavailable``.
    """
    parts = [part for part, _ in client.split(queues)]
    try:
        return [one for part in parts for one in outbox.newest(part.session, count=OUTBOX_ENTRIES)[::-1]]
    except QueueUnavailable:
        raise
    except QueueError as error:
        logger.warning("the outbox cannot be read: %s", error)
        return []


def _pending(outcome: Outcome) -> MessageState:
    return MessageState(
        outcome.id, outcome.queue, outcome.event, outcome.body, sent_ms(outcome.id), outcome.attempts,
        outcome.started_ms, outcome.finished_ms, outcome.error, outcome.handler,
    )  # fmt: skip


def _rows(*queries: QuerySet[Job]) -> list[MessageState]:
    """Run ``queries``, and return the state of the message of each job. Long texts are cut.

    If a query fails, ``[]`` is returned and no other query is run, so that an unresponsive database costs one
    timeout.
    """
    try:
        return [_row(job) for query in queries for job in _beginnings(query)]
    except DatabaseError as error:
        logger.warning("the history is away: %s", type(error).__name__)
        return []


def _beginnings(rows: QuerySet[Job]) -> QuerySet[Job]:
    starts = {"body_start": Left("body", BODY_BYTES), "error_start": Left("error", ERROR_CHARACTERS)}
    return rows.defer("body", "error", "result").annotate(**starts)


def _row(job: Any) -> MessageState:
    """Make the state of a message from its ``Job``, which a query of ``_beginnings`` has read."""
    started_ms = job.started_at.timestamp() * 1000 if job.started_at else None
    return MessageState(
        job.message_id, job.queue, job.state, job.body_start, sent_ms(job.message_id), job.attempts,
        started_ms, job.finished_at.timestamp() * 1000, job.error_start, job.handler,
    )  # fmt: skip
