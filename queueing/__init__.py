"""An RSMQ-compatible message queue for Django: client, worker, memory and console."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import QueueClient

__all__ = ["get_client", "send_message"]


def get_client() -> "QueueClient":
    """The client of this process, built from the setting ``QUEUEING`` at the first call."""
    from .connections import shared_client

    return shared_client()


def send_message(qname: str, message: str, *, delay: int | None = None) -> str:
    """Send ``message`` and return its id; a configured queue that is missing is created first.

    Takes and raises what ``QueueClient.send_message`` does.
    """
    from .provision import send_creating

    return send_creating(get_client(), qname, message, delay=delay)
