"""Tasks that a transaction has stored as rows (staged), and that are not in their queue yet."""

from queueing import get_client
from queueing.broker import decode
from queueing.broker.task_queues import Whereabouts
from queueing.models import StagedMessage
from queueing.transactional import backlog, staging
from queueing.transactional.databases import relayed


def find(id: str) -> StagedMessage | None:
    """The row of the task with this id, or ``None`` if this thread's connections see no such row.

    Raises ``DatabaseError``.
    """
    rows = (StagedMessage.objects.using(alias).filter(message_id=id).first() for alias in relayed())
    return next(filter(None, rows), None)


def whereabouts(row: StagedMessage) -> Whereabouts:
    """The queue to which the message of ``row`` will be sent, and the body of the message."""
    return Whereabouts(queue=row.queue, outcomes=[], body=decode.text(bytes(row.body)))


def take_back(row: StagedMessage) -> bool:
    """Delete the row of a task if this thread's open transaction has written it. Returns whether it did.

    The message of any other row is sent, so that the caller can cancel it in Redis. Deleting a committed row
    would not be enough, because another process may be sending its message at this moment. Raises
    ``QueueError``, ``DatabaseError``.
    """
    alias = str(row._state.db)
    if row.message_id in staging.ids_of_transaction(alias):
        return bool(backlog.delete(alias, [row.pk]))
    backlog.retry(get_client(), alias, [row.pk])
    return False
