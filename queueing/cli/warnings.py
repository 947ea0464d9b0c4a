"""What the console warns of, beneath what a verb shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from queueing.messages import QueueFigures
from queueing.monitoring import alerts

from .output import Screen

if TYPE_CHECKING:
    from queueing.client import QueueClient


def warn(
    client: "QueueClient",
    screen: Screen,
    figures: Sequence[QueueFigures] = (),
    names: Sequence[str] | None = None,
) -> None:
    """Report on stderr what there is to look after, about these queues and in general."""
    for alert in alerts.read(client, figures, names):
        screen.note(f"Warning: {alert.text}")
