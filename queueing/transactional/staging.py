"""Writes messages into the table of staged messages, and sends them after the commit.

A row stores a sender's token and a number. Redis remembers both, so that a repeat of the send by another
process stores nothing twice: see ``queueing/broker/idempotency.py``.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from django.db import DatabaseError, connections, transaction

from queueing.broker import rsmq_values
from queueing.broker.idempotency import SendCall, Senders, whole_id
from queueing.broker.slices import slices
from queueing.client import drafts
from queueing.client.default import shared_client
from queueing.exceptions import QueueError
from queueing.messages import Draft
from queueing.models import StagedMessage
from queueing.policies import unique
from queueing.resilience.process_state import ProcessState

from . import databases, sending

logger = logging.getLogger("queueing")

#: Rows that are read and deleted in one statement.
ROWS = 1000
#: If Redis does not answer, transactions leave their messages to the relay for this long.
AWAY_SECONDS = 2.0

_senders = Senders()
_away_until: ProcessState[list[float]] = ProcessState(lambda: [0.0])


def stage(
    queue: str, messages: Sequence[Draft], *, task_queue: str = "", then: Callable[[], None] | None = None
) -> list[str]:
    """Write messages in the transaction of the caller, and send them after its commit. Returns their ids.

    For tasks, ``task_queue`` is the queue that the task names, and ``queue`` is this queue or its
    low-priority queue. ``then`` is called after the commit, when the messages are sent or left to a worker.
    Raises ``ImproperlyConfigured``, ``DatabaseError``, ``MessageNotString``, ``InvalidFormat``.
    """
    alias = databases.of_this_call()
    queue = rsmq_values.qname(queue)
    for message in messages:
        drafts.check(message)
    completed = cast("Sequence[Draft]", drafts.complete(queue, messages))
    ids = [message.id or whole_id() for message in messages]
    named = [replace(message, id=id) for id, message in zip(ids, completed, strict=True)]
    calls = {id: _senders.next_call(0) for id in ids}
    with transaction.atomic(using=alias, savepoint=False):
        for step in drafts.steps(named):
            rows = [_row(calls[str(message.id)], queue, task_queue, message) for message in step]
            StagedMessage.objects.using(alias).bulk_create(rows)
        transaction.on_commit(_AtCommit(alias, calls, then), using=alias)
    return ids


def stage_message(queue: str, draft: Draft, *, via: str, delay: int | None) -> str:
    """The implementation of ``queueing.send_message`` with ``via="database"``. Returns the id."""
    if via != "database":
        raise QueueError('via must be "database" or None.')
    if draft.deduplication_id is not None:
        raise QueueError('A message with a deduplication_id cannot be sent with via="database".')
    if delay is not None and draft.delay_ms is None and draft.due_ms is None:
        draft = replace(draft, delay_ms=rsmq_values.seconds(delay, "delay") * 1000)
    return stage(queue, [draft])[0]


def _row(call: SendCall, queue: str, task_queue: str, message: Draft) -> StagedMessage:
    due_ms = message.due_ms
    if message.delay_ms is not None:
        # The delay counts from the call, however long Redis is away.
        due_ms = int(time.time() * 1000) + message.delay_ms
    headers = json.dumps(dict(message.headers)) if message.headers else ""
    return StagedMessage(
        queue=queue, message_id=str(message.id), sender=call.token, number=call.number, task_queue=task_queue,
        body=rsmq_values.encode(message.body), headers=headers,
        priority=message.priority, due_ms=due_ms,
    )  # fmt: skip


class _AtCommit:
    """One call of ``stage``, as a callback that Django runs after the commit.

    The first callback of a transaction also sends the messages of the later callbacks, so that a transaction
    needs one round trip. It reads the rows from the table again, because the rollback of a savepoint may have
    removed some rows. Django does not run the callbacks of such a savepoint, so each calls its own ``then``.
    """

    def __init__(self, alias: str, calls: dict[str, SendCall], then: Callable[[], None] | None) -> None:
        """``calls`` has the token and number of each message, by the id of the message."""
        self._alias, self._calls, self._then = alias, calls, then
        #: The next callback of the same transaction.
        self._next: _AtCommit | None = None
        if newest := next(_of_transaction(alias), None):
            newest._next = self

    def __call__(self) -> None:
        unsent: dict[str, SendCall] = {}
        callback: _AtCommit | None = self
        while callback:
            unsent |= callback._calls
            callback._calls, callback = {}, callback._next
        _send(self._alias, unsent)
        if self._then:
            self._then()


def ids_of_transaction(alias: str) -> set[str]:
    """The ids of the messages that the open transaction of this thread has staged."""
    return {id for callback in _of_transaction(alias) for id in callback._calls}


def _of_transaction(alias: str) -> Iterator[_AtCommit]:
    """The callbacks of the open transaction, newest first, without those that a rollback has removed."""
    callbacks: list[Any] = connections[alias].run_on_commit
    return (callback for _, callback, _ in reversed(callbacks) if isinstance(callback, _AtCommit))


def _send(alias: str, calls: dict[str, SendCall]) -> None:
    """Send the committed messages. If Redis or the database does not answer, a worker sends them later."""
    if time.monotonic() < _away_until.get()[0]:
        return
    # A large transaction would leave a sender in Redis for each message, for a week.
    is_large = len(calls) > ROWS
    try:
        for ids in slices(calls, lambda id: 1, size=ROWS):
            rows = list(StagedMessage.objects.using(alias).filter(message_id__in=ids).order_by("id"))
            if _would_overtake(alias, rows):
                return  # The relay of a worker sends all rows in their order.
            for row in sending.send(shared_client(), alias, rows, forget=is_large):
                if not is_large:
                    _senders.answered(calls[row.message_id])
    except (QueueError, DatabaseError) as error:
        _away_until.get()[0] = time.monotonic() + AWAY_SECONDS
        logger.warning("staged messages wait for the relay of a worker: %s", error)


def _would_overtake(alias: str, rows: list[StagedMessage]) -> bool:
    """Whether ``rows`` must wait until messages that were staged earlier are sent.

    This applies to unique jobs with ``on_conflict="replace"``, which replace the body of a waiting job with
    the same key. An earlier message that is sent after ``rows`` would replace a newer body by an older one.
    Returns ``True``, too, if there are too many earlier messages to check.
    """
    words = [unique.option(row.draft().headers).split() for row in rows if unique.HEADER in row.headers]
    digests = {digest for _, on_conflict, digest in filter(None, words) if on_conflict == "replace"}
    if not digests or connections[alias].in_atomic_block:  # The transaction of a TestCase has no relay.
        return False
    earlier = StagedMessage.objects.using(alias).filter(id__lt=rows[0].pk, is_refused=False)
    found = list(earlier.filter(headers__contains=unique.HEADER).values_list("headers", flat=True)[:ROWS])
    return len(found) == ROWS or any(digest in headers for headers in found for digest in digests)
