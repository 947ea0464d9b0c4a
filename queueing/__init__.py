"""An RSMQ-compatible message queue for Django: client, worker, memory and console."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import QueueClient
    from .messages import MessageState

__all__ = [
    "__version__",
    "create_queues",
    "get_client",
    "message_state",
    "recent_messages",
    "send_message",
]

__version__ = "0.1.0"


def get_client() -> "QueueClient":
    """The client of this process, built from the setting ``QUEUEING`` at the first call."""
    from .client.default import shared_client

    return shared_client()


def send_message(qname: str, message: str, **options: Any) -> str:
    """Send ``message`` and return its id; a configured queue that is missing is created first.

    Takes the options and raises the errors of ``QueueClient.send_message``.
    """
    from .client.provision import send_creating

    return send_creating(get_client(), qname, message, **options)


def create_queues() -> list[str]:
    """Create the queues of the setting ``QUEUES`` that are missing, and return their names.

    Raises ``QueueUnavailable`` if Redis does not answer.
    """
    from .client.provision import create_configured_queues

    return create_configured_queues(get_client())


def message_state(qname: str, message_id: str) -> "MessageState | None":
    """The state of a message in the queue or in the history, or ``None`` if neither knows it.

    Raises ``QueueUnavailable`` if Redis does not answer, and ``InvalidFormat`` for what is not an id. If the
    database does not answer, only the queue is searched.
    """
    from .history import lookup

    return lookup.state_of(qname, message_id)


def recent_messages(*qnames: str, limit: int = 20) -> "list[MessageState]":
    """The newest messages of some queues and of their history, newest first, at most ``limit``.

    A message that runs or has ended is preferred to one that only waits. Raises ``QueueUnavailable`` if Redis
    does not answer. If the database does not answer, the list has only what is in the queues.
    """
    from .history import lookup

    return lookup.recent(*qnames, limit=limit)
