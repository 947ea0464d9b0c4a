"""An RSMQ-compatible message queue for Django on Redis: client, worker, history and console.

The files in this folder are public, or have the names that Django looks for. The packages are:

- ``broker``: all communication with Redis: keys, Lua scripts, sessions, leases, outcomes
- ``client``: RSMQ's ten methods and further operations
- ``worker``: the processes that run messages, and the one that extends their leases
- ``tasks``: Django's tasks on a queue
- ``policies``: attempts, back-off, rate and concurrency limits, unique jobs
- ``transactional``: messages that are stored in a database transaction and sent after its commit
- ``history``: the outcomes of processed messages in the database
- ``scheduling``: due times, and the schedules in Redis
- ``monitoring``: figures, alerts, metrics and charts
- ``admin``, ``cli``: the console in Django's admin, and the command ``manage.py queues``
- ``resilience``, ``text``: limits of waiting times, and text that is safe to show

``pyproject.toml`` lists the layers of the package. A module imports nothing from a higher layer.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .client import AsyncQueueClient, QueueClient
    from .messages import MessageState

__all__ = [
    "__version__",
    "aget_client",
    "asend_message",
    "create_queues",
    "get_client",
    "message_state",
    "recent_messages",
    "send_message",
]

__version__ = "1.0.0b1"


def get_client() -> "QueueClient":
    """The client of this process, built from the setting ``QUEUEING`` at the first call."""
    from .client.default import shared_client

    return shared_client()


def aget_client() -> "AsyncQueueClient":
    """The client of this process for event loops: a ``QueueClient`` whose methods are coroutine functions.

    The call needs no ``await``, but ``await queueing.aget_client()`` works, too.
    """
    from .client.default import shared_async_client

    return shared_async_client()


def send_message(
    qname: str,
    message: str,
    *,
    delay: int | None = None,
    delay_ms: int | None = None,
    due_ms: int | None = None,
    headers: Mapping[str, str] | None = None,
    deduplication_id: str | None = None,
    deduplication_seconds: int = 300,
    via: Literal["database"] | None = None,
) -> str:
    """Send ``message`` and return its id. A missing queue is created first if ``QUEUES`` names it.

    The parameters and errors are those of ``QueueClient.send_message``.

    With ``via="database"`` the message is written into a database of ``RELAY_DATABASES``, in the transaction
    of the caller, and is sent after the commit. This works while Redis is down: a worker sends the message
    later. A delay counts from this call. ``via`` cannot be combined with ``deduplication_id``.

    With ``via``, the call also raises ``ImproperlyConfigured`` if the settings allow no such database or if
    the transaction is in another database, and ``DatabaseError`` if the database fails.
    """
    if via is not None:
        from .messages import Draft
        from .transactional import staging

        draft = Draft(
            body=message, delay_ms=delay_ms, due_ms=due_ms, headers=headers or {},
            deduplication_id=deduplication_id,
        )  # fmt: skip
        return staging.stage_message(qname, draft, via=via, delay=delay)
    from .client import default

    return default.send(
        default.shared_client(), qname, message, delay=delay, delay_ms=delay_ms, due_ms=due_ms,
        headers=headers, deduplication_id=deduplication_id, deduplication_seconds=deduplication_seconds,
    )  # fmt: skip


async def asend_message(
    qname: str,
    message: str,
    *,
    delay: int | None = None,
    delay_ms: int | None = None,
    due_ms: int | None = None,
    headers: Mapping[str, str] | None = None,
    deduplication_id: str | None = None,
    deduplication_seconds: int = 300,
) -> str:
    """The coroutine function for ``send_message``. It runs in the event loop and needs no thread.

    It has no parameter ``via``, so it sends the message immediately, even in a transaction.
    """
    from .client import default

    return await default.asend(
        default.shared_async_client(), qname, message, delay=delay, delay_ms=delay_ms, due_ms=due_ms,
        headers=headers, deduplication_id=deduplication_id, deduplication_seconds=deduplication_seconds,
    )  # fmt: skip


def create_queues() -> list[str]:
    """Create the missing queues of the setting ``QUEUES``. Returns the names of the created queues.

    Raises ``QueueUnavailable`` if Redis does not answer.
    """
    from .client import default

    return default.create_configured_queues(default.shared_client())


def message_state(qname: str, message_id: str) -> "MessageState | None":
    """The state of a message in the queue, in the outbox or in the history, or ``None`` if it is not found.

    The outbox in Redis contains the outcomes that are not in the history yet. Only its newest 20 entries are
    read. A message that has ended is therefore not found while its outcome waits in the outbox behind 20
    newer entries. A message that is staged in the database is not found before it is sent.

    If the database does not answer, the history is left out. Raises ``QueueUnavailable`` if Redis does not
    answer, and ``InvalidFormat`` if ``message_id`` is not a valid id.
    """
    from .history import lookup

    return lookup.state_of(qname, message_id)


def recent_messages(*qnames: str, limit: int = 20) -> "list[MessageState]":
    """Up to ``limit`` of the newest messages of these queues, newest first. Processed messages are included.

    If there are more messages than ``limit``, ready messages are left out first, so that the list of a busy
    queue also shows messages in other states. Raises ``QueueUnavailable`` if Redis does not answer. If the
    database does not answer, messages that are only in the history are missing.
    """
    from .history import lookup

    return lookup.recent(*qnames, limit=limit)
