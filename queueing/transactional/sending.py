"""Sends staged messages and deletes their rows, in the process of the transaction or in a worker's relay.

A send is one call of the send script, with one or more messages. Each of these messages has a row.

A row is deleted after Redis has acknowledged its message. If the process is killed before it deletes the row,
the row stays and its message is sent again. The send script recognises this repeat.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from django.db import connections, transaction

from queueing.broker.scripts import Call
from queueing.broker.session import checked
from queueing.broker.slices import slices
from queueing.client import QueueClient, drafts
from queueing.client.default import create_missing, note_task_queue
from queueing.exceptions import QueueError, QueueFull, QueueNotFound, QueueUnavailable
from queueing.models import StagedMessage
from queueing.signals import emit, message_sent

#: How long Redis remembers a send whose row is not deleted yet.
REMEMBERED_MS = 7 * 86_400_000
#: How long Redis remembers a send after a relay has deleted its row. In this time, a frozen process may still
#: repeat the send.
FORGOTTEN_MS = 600_000
#: Bytes of message bodies in one round trip.
EXCHANGE_BYTES = 1_000_000

#: The token and the number of one send, which has one or more messages.
Sender = tuple[str, int]
#: The rows of one send, in the order of its messages.
Group = list[StagedMessage]


class _Withdrawn(QueueError):
    """Redis did not store the messages of a send, because another process has withdrawn the send.

    The other process has split the send, so that each message is sent alone later (see ``_refuse``).
    """


def send(
    client: QueueClient, alias: str, rows: Sequence[StagedMessage], *, forget: bool = False
) -> set[Sender]:
    """Send messages in the order of their rows. Returns the sends that Redis has acknowledged.

    ``rows`` must have all rows of a send, or none of them. If Redis refuses a message permanently, its row
    stays and stores the reason. Set ``forget`` if other processes have staged the rows: then ``acknowledge``
    is called for the sends. Raises ``QueueUnavailable``, ``QueueFull`` and ``DatabaseError``. After such an
    error, the rows that were neither sent nor refused are unchanged.
    """
    sent: set[Sender] = set()
    outage: QueueError | None = None
    for part, of_part in _by_partition(client, rows):
        try:
            for groups in slices(_grouped(of_part), _bytes, size=EXCHANGE_BYTES):
                sent |= _exchange(part, alias, groups, forget)
        except (QueueUnavailable, QueueFull) as error:
            outage = error
    if outage:
        raise outage
    if forget:
        acknowledge(client, sent)
    return sent


def acknowledge(client: QueueClient, sent: set[Sender]) -> None:
    """Let Redis forget these sends after ten minutes instead of a week, because their rows are deleted.

    Until then, Redis recognises a repeat by a process that was frozen during the send.
    """
    if sent:
        senders = sorted(sent)
        numbers = [number for _, number in senders]
        for part in client.parts:
            keys = [part.keys.sender(token) for token, _ in senders]
            part.session.call(Call("forget_senders", keys, FORGOTTEN_MS, *numbers))


def _by_partition(
    client: QueueClient, rows: Sequence[StagedMessage]
) -> list[tuple[QueueClient, Sequence[StagedMessage]]]:
    if not client.routing:
        return [(client, rows)]
    by_part = client.split(list({row.queue for row in rows}))
    return [(part, [row for row in rows if row.queue in queues]) for part, queues in by_part]


def _grouped(rows: Sequence[StagedMessage]) -> list[Group]:
    groups: dict[Sender, Group] = {}
    for row in rows:
        groups.setdefault((row.sender, row.number), []).append(row)
    return list(groups.values())


def _bytes(group: Group) -> int:
    return sum(len(row.body) for row in group)


def _exchange(client: QueueClient, alias: str, groups: Sequence[Group], forget: bool) -> set[Sender]:
    """Send all ``groups`` in one round trip, and delete their rows. A group has the rows of one send.

    The row of a message that Redis refuses is kept, and stores the reason. Returns the sends that Redis has
    acknowledged. Raises ``QueueUnavailable``, ``QueueFull``, ``DatabaseError``.
    """
    for task_queue, queue in {(group[0].task_queue, group[0].queue) for group in groups}:
        note_task_queue(client, task_queue, queue)
    if _is_sent_together(client, groups):
        replies: list[Any] = [[b"ok", b"1"]] * len(groups)
    else:
        calls = [_call(client, group) for group in groups]
        replies = client.session.call_each(calls, replicas=client.durable)
    sent: list[Group] = []
    outage: QueueError | None = None
    for group, reply in zip(groups, replies, strict=True):
        error = _error_of(reply)
        if isinstance(error, QueueNotFound):
            error = _send_to_missing(client, group)
        if error is None:
            sent.append(group)
        elif isinstance(error, QueueUnavailable | QueueFull):
            outage = outage or error
        elif _refuse(client, alias, group, error):
            sent.append(group)
    _delete(alias, [row.pk for group in sent for row in group], forget)
    _report(sent)
    if outage:
        raise outage
    return {(group[0].sender, group[0].number) for group in sent}


def _is_sent_together(client: QueueClient, groups: Sequence[Group]) -> bool:
    """Try to send all messages with a single call of a script, which is faster. Returns whether it worked.

    The call is made only for several groups of one message each, all for the same queue. If Redis refuses one
    of these messages, or has received one of them earlier, it stores none of them.
    """
    rows = [row for group in groups for row in group]
    if len(groups) == 1 or len(rows) > len(groups) or len({row.queue for row in rows}) > 1:
        return False
    call = drafts.put(
        "send_each", client.keys, rows[0].queue, [row.draft() for row in rows],
        tails=[row.message_id for row in rows], key=client.keys.never(),
        own=(" ".join(str(row.number) for row in rows), REMEMBERED_MS),
    )  # fmt: skip
    call.keys = [*call.keys, *(client.keys.sender(row.sender) for row in rows)]
    [reply] = client.session.call_each([call], replicas=client.durable)
    return isinstance(reply, list) and reply[0] == b"ok"


def _call(client: QueueClient, group: Group) -> Call:
    first = group[0]
    return drafts.put(
        "send", client.keys, first.queue, [row.draft() for row in group],
        tails=[row.message_id for row in group], key=client.keys.sender(first.sender),
        own=(first.number, REMEMBERED_MS),
    )  # fmt: skip


def _error_of(reply: object) -> QueueError | None:
    if isinstance(reply, QueueError):
        return reply
    try:
        first_us = checked(reply)[0]  # type: ignore[arg-type]
    except QueueError as error:
        return error
    return _Withdrawn() if first_us == b"0" else None


def _send_to_missing(client: QueueClient, group: Group) -> QueueError | None:
    """Create the missing queue of ``group``, and send the group again.

    Only queues for tasks and the queues in the setting ``QUEUES`` are created. Returns ``None`` if the group
    was sent, otherwise the error.
    """
    first = group[0]
    try:
        create_missing(client, first.task_queue, first.queue)
    except QueueNotFound as error:
        return error
    [reply] = client.session.call_each([_call(client, group)], replicas=client.durable)
    return _error_of(reply)


def _refuse(client: QueueClient, alias: str, group: Group, error: QueueError) -> bool:
    """Store the ``error`` in the row of a send with one message, or split a send with several messages.

    To split a send, this function first withdraws the send in Redis, because another process may still repeat
    it. Then it gives each row a new sender, so that each message is sent alone later. A send that another
    process has withdrawn is handled in the same way. Returns ``True`` if Redis has stored the send in the
    meantime: then nothing is changed.
    """
    first, rows = group[0], StagedMessage.objects.using(alias)
    if len(group) == 1 and not isinstance(error, _Withdrawn):
        rows.filter(pk=first.pk).update(refusal=str(error)[:255], is_refused=True)
        return False
    call = Call("withdraw", [client.keys.sender(first.sender)], first.number, REMEMBERED_MS)
    if not client.session.call(call, replicas=client.durable):
        return True
    with transaction.atomic(using=alias):
        for row in group:
            rows.filter(pk=row.pk, sender=row.sender).update(
                sender=secrets.token_hex(8), number=1, size=1, refusal="", is_refused=False
            )
    return False


def _delete(alias: str, ids: Sequence[int], forget: bool) -> None:
    if not ids:
        return
    connection = connections[alias]
    table = connection.ops.quote_name(StagedMessage._meta.db_table)
    sql = f"DELETE FROM {table} WHERE id IN ({', '.join(str(int(id)) for id in ids)})"
    if connection.vendor == "postgresql" and not (connection.in_atomic_block or forget):
        # A commit waits for the disk. This commit need not, while Redis remembers the sender: if a crash
        # restores the row, its message is sent again, and Redis recognises the repeat. Both statements are
        # one implicit transaction.
        sql = f"SET LOCAL synchronous_commit TO off; {sql}"
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _report(sent: Sequence[Group]) -> None:
    if message_sent.receivers:
        for group in sent:
            ids, messages = [row.message_id for row in group], [row.draft() for row in group]
            emit(message_sent, QueueClient, queue=group[0].queue, ids=ids, messages=messages)
