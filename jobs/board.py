"""What the page shows of the queue at one moment."""

import re
from dataclasses import dataclass, field

import queueing
from queueing import lookup, provision
from queueing.conf import get_conf
from queueing.exceptions import QueueError
from queueing.lookup import MessageState
from queueing.messages import QueueFigures

from .hello import QUEUE

#: How many messages the page lists.
LISTED = 20
#: A message that has waited so long has no worker that takes it.
UNATTENDED_SECONDS = 5

_MESSAGE_ID = re.compile(r"[a-zA-Z0-9]{32}")

#: How a message is shown from its sending to the next look at the queue.
JUST_SENT = MessageState(id="", queue=QUEUE, state="ready", body="Hello World at …", sent_ms=0)


@dataclass(frozen=True, slots=True)
class Board:
    """The queue's figures and newest messages; neither where ``trouble`` kept them from being read."""

    figures: QueueFigures | None = None
    messages: list[MessageState] = field(default_factory=list)
    sent: MessageState | None = None
    trouble: QueueError | None = None

    @property
    def unattended(self) -> bool:
        """Whether messages wait and nobody seems to take them."""
        return (
            self.figures is not None
            and self.figures.running == 0
            and self.figures.latency_seconds > UNATTENDED_SECONDS
        )


def read(sent_id: str = "") -> Board:
    """The board now, with the message ``sent_id`` on it however many came after it.

    Never raises for the queue's sake: the first call that fails is the last one made, so a Redis
    that does not answer costs one time-out.
    """
    try:
        return _read(sent_id if _MESSAGE_ID.fullmatch(sent_id) else "")
    except QueueError as trouble:
        return Board(trouble=trouble)


def _read(sent_id: str) -> Board:
    figures = _figures()
    messages = lookup.recent(QUEUE, limit=LISTED)
    sent = next((message for message in messages if message.id == sent_id), None)
    if sent_id and sent is None:
        sent = lookup.state_of(QUEUE, sent_id)
        messages = [sent, *messages] if sent else messages
    return Board(figures, messages, sent)


def _figures() -> QueueFigures | None:
    """The queue's figures; a configured queue that is missing is created first."""
    client = queueing.get_client()
    found = client.queue_figures([QUEUE])
    if not found and QUEUE in get_conf().QUEUES:
        provision.create_configured_queues(client)
        found = client.queue_figures([QUEUE])
    return found[0] if found else None
