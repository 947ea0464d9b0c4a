"""Sends staged messages and deletes their rows, in the process of the transaction or in a worker's relay.

A row is deleted after Redis has acknowledged its message. If the process is killed before it deletes the row,
the row stays and its message is sent again. The send script recognises this repeat: each row has a sender's
token and a number of its own.
"""

from collections import defaultdict
from collections.abc import Sequence

from django.db import connections

from queueing.broker.scripts import Call
from queueing.broker.session import checked
from queueing.broker.slices import slices
from queueing.client import QueueClient, drafts
from queueing.client.default import ensuring, note_task_queue
from queueing.exceptions import QueueError, QueueFull, QueueUnavailable
from queueing.models import StagedMessage
from queueing.signals import emit, message_sent

#: How long Redis remembers a sender whose row is not deleted yet.
REMEMBERED_MS = 7 * 86_400_000
#: How long Redis remembers a sender that is not used again, after its row is deleted. In this time, a frozen
#: process may still repeat the send.
FORGOTTEN_MS = 600_000
#: Bytes of message bodies in one round trip.
EXCHANGE_BYTES = 1_000_000

Rows = list[StagedMessage]


def send(client: QueueClient, alias: str, rows: Sequence[StagedMessage], *, forget: bool = False) -> Rows:
    """Send messages in the order of their rows. Returns the rows whose messages Redis has acknowledged.

    If Redis refuses a message permanently, its row stays and stores the reason. Set ``forget`` if this
    process does not use the senders of the rows again: then ``acknowledge`` is called for them.

    Raises ``QueueUnavailable``, ``QueueFull`` and ``DatabaseError``. After such an error, the rows that were
    neither sent nor refused are unchanged.
    """
    sent: Rows = []
    outage: QueueError | None = None
    for part, queues in client.split(list({row.queue for row in rows})):
        of_part = [row for row in rows if row.queue in queues]
        try:
            for some in slices(of_part, lambda row: len(row.body), size=EXCHANGE_BYTES, count=drafts.BATCH):
                sent += _exchange(part, alias, some, forget)
        except (QueueUnavailable, QueueFull) as error:
            outage = error
    if outage:
        raise outage
    if forget:
        acknowledge(client, sent)
    return sent


def acknowledge(client: QueueClient, sent: Rows) -> None:
    """Let Redis forget the senders of these rows after ten minutes, because the rows are deleted.

    Until then, Redis recognises a repeat by a process that was frozen during the send.
    """
    for part in client.parts if sent else ():
        keys = [part.keys.sender(row.sender) for row in sent]
        part.session.call(Call("forget_senders", keys, FORGOTTEN_MS, *(row.number for row in sent)))


def _exchange(client: QueueClient, alias: str, rows: Rows, forget: bool) -> Rows:
    """Send messages in one round trip, and delete their rows. Returns the rows that Redis has acknowledged.

    Each queue gets its messages in one call. If this call stores nothing, for example because Redis refuses
    one of the messages, they are sent one by one. Raises ``QueueUnavailable``, ``QueueFull``,
    ``DatabaseError``.
    """
    groups = list(_by_queue(rows).values())
    for first, *_ in groups:
        note_task_queue(client, first.task_queue, first.queue)
    calls = [_call(client, group) for group in groups]
    replies = client.session.call_each(calls, replicas=client.durable)
    sent: Rows = []
    outage: QueueError | None = None
    for group, reply in zip(groups, replies, strict=True):
        if isinstance(reply, list) and reply[0] == b"ok":
            sent += group
            continue
        for row in group:
            try:
                _send_alone(client, row)
                sent.append(row)
            except (QueueUnavailable, QueueFull) as error:
                outage = error
                break
            except QueueError as error:
                _refuse(alias, row, error)
    _delete(alias, [row.pk for row in sent], forget)
    _report(sent)
    if outage:
        raise outage
    return sent


def _by_queue(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(list)
    for row in rows:
        found[row.queue].append(row)
    return found


def _call(client: QueueClient, rows: Rows) -> Call:
    """Make the call that sends the messages of ``rows``, which all have the same queue."""
    call = drafts.put(
        "send_each", client.keys, rows[0].queue, [row.draft() for row in rows],
        tails=[row.message_id for row in rows], key=client.keys.never(),
        own=(" ".join(str(row.number) for row in rows), REMEMBERED_MS),
    )  # fmt: skip
    call.keys = [*call.keys, *(client.keys.sender(row.sender) for row in rows)]
    return call


def _send_alone(client: QueueClient, row: StagedMessage) -> None:
    """Send one message. A missing queue is created if it is for tasks, or if the setting ``QUEUES`` names it.

    Raises the error with which Redis refuses the message.
    """
    call = _call(client, [row])
    ensuring(
        client,
        lambda: checked(client.session.call(call, replicas=client.durable)),
        row.queue,
        task_queue=row.task_queue,
    )


def _refuse(alias: str, row: StagedMessage, error: QueueError) -> None:
    rows = StagedMessage.objects.using(alias).filter(pk=row.pk)
    rows.update(refusal=str(error)[:255], is_refused=True)


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


def _report(sent: Rows) -> None:
    for queue, rows in _by_queue(sent).items() if message_sent.receivers else ():
        ids, messages = [row.message_id for row in rows], [row.draft() for row in rows]
        emit(message_sent, QueueClient, queue=queue, ids=ids, messages=messages)
