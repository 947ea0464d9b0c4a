"""An RSMQ-compatible message queue for Django: client, worker, memory and console."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import QueueClient

__all__ = ["__version__", "get_client", "send_message"]

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
