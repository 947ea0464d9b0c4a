"""Errors of the queue as sentences that say what to do."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from queueing.exceptions import (
    MessageTooLong,
    QueueError,
    QueueExists,
    QueueNotFound,
    QueueRefused,
    QueueUnavailable,
    ReplyLost,
)

if TYPE_CHECKING:
    from queueing.client import QueueClient


def sentence(error: QueueError, client: "QueueClient", names: Sequence[str]) -> str:
    """What happened to the queues ``names``, without its full stop."""
    name = names[0] if names else ""
    match error:
        case QueueNotFound():
            missing = " and none ".join(f"named {name}" for name in _missing(client, names))
            return f'There is no queue {missing}: "manage.py queues list" shows those there are'
        case QueueExists():
            return f'There is a queue named {name} already: "manage.py queues set" changes it'
        case MessageTooLong():
            return f'The message is too long: "manage.py queues set {name} --maxsize -1" takes any length'
        case ReplyLost() | QueueRefused():
            return str(error)
        case QueueUnavailable():
            return f'{error}: see that it runs and that QUEUEING["URL"] is its address'
    return str(error).removesuffix(".")


def _missing(client: "QueueClient", names: Sequence[str]) -> Sequence[str]:
    with suppress(QueueError):
        there = {figures.name for figures in client.queue_figures(names)}
        return [name for name in names if name not in there] or names
    return names
