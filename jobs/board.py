"""Reads the figures and the newest messages of the queues that the page shows."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import queueing
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import MessageState, QueueFigures

from .hello import QUEUE

logger = logging.getLogger(__name__)

#: The most messages that the page lists.
LISTED = 20
#: If a message has waited for longer than this, the page assumes that the queue has no worker.
UNATTENDED_SECONDS = 5

#: The counts that are added up over all queues.
COUNTED = ("ready", "delayed", "running", "dead")

_MESSAGE_ID = re.compile(r"[a-zA-Z0-9]{32}")

#: The message that the page shows after it is sent, until the page reads the queue again.
JUST_SENT = MessageState(id="", queue=QUEUE, state="ready", body="Hello World at …", sent_ms=0)


@dataclass(frozen=True, slots=True)
class Counts:
    """The messages of all queues of the page, counted by state, and the highest latency of these queues."""

    ready: int
    delayed: int
    running: int
    dead: int
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class Board:
    """The content of the page: the figures and the newest messages of its queues.

    ``sent`` is the message that the visitor has sent. If the queues could not be read, ``trouble`` is the
    error, and the other fields are empty.
    """

    figures: list[QueueFigures] = field(default_factory=list)
    messages: list[MessageState] = field(default_factory=list)
    sent: MessageState | None = None
    trouble: QueueError | None = None

    @property
    def is_away(self) -> bool:
        return isinstance(self.trouble, QueueUnavailable)

    @property
    def counts(self) -> Counts | None:
        """The counts over all queues, or ``None`` if there is no queue."""
        if not self.figures:
            return None
        sums = [sum(getattr(queue, name) for queue in self.figures) for name in COUNTED]
        return Counts(*sums, latency_seconds=max(queue.latency_seconds for queue in self.figures))

    @property
    def paused(self) -> list[QueueFigures]:
        """The paused queues that have waiting messages."""
        return [queue for queue in self.figures if queue.paused and queue.ready]

    @property
    def unattended(self) -> bool:
        """Whether messages wait and no worker seems to claim them."""
        if any(queue.running for queue in self.figures):
            return False
        return any(queue.latency_seconds > UNATTENDED_SECONDS and not queue.paused for queue in self.figures)

    @property
    def last_ready(self) -> str:
        """The id of the last ready message in the list, ``""`` if the list has none.

        Below this message, the page shows ``more_ready``, the number of ready messages that are not listed.
        """
        return next((message.id for message in reversed(self.messages) if message.state == "ready"), "")

    @property
    def more_ready(self) -> int:
        listed = sum(message.state == "ready" for message in self.messages)
        return max(0, sum(queue.ready for queue in self.figures) - listed) if listed else 0


def read(sent_id: str = "", *, queues: Sequence[str] = (QUEUE,)) -> Board:
    """Read the board of ``queues``. The message ``sent_id`` is included, even if many messages are newer.

    Raises nothing: an error becomes the ``trouble`` of the board. After the first error Redis is not called
    again, so that an unresponsive Redis costs one timeout.
    """
    try:
        return _read(sent_id if _MESSAGE_ID.fullmatch(sent_id) else "", queues)
    except QueueError as trouble:
        if not isinstance(trouble, QueueUnavailable):
            logger.warning("the page cannot show the queue: %s", trouble)
        return Board(trouble=trouble)
    except Exception:
        # Other programs write to Redis, too, and the page is public.
        logger.exception("the page cannot show the queue")
        return Board(trouble=QueueError())


def _read(sent_id: str, queues: Sequence[str]) -> Board:
    figures = _figures(queues)
    messages = queueing.recent_messages(*queues, limit=LISTED)
    sent = next((message for message in messages if message.id == sent_id), None)
    if sent_id and sent is None:
        sent = next(filter(None, (queueing.message_state(queue, sent_id) for queue in queues)), None)
        messages = [sent, *messages] if sent else messages
    return Board(figures, messages, sent)


def _figures(queues: Sequence[str]) -> list[QueueFigures]:
    """Read the figures of these queues. Missing queues of the setting ``QUEUES`` are created first."""
    client = queueing.get_client()
    found = client.queue_figures(queues)
    if {queue.name for queue in found} >= set(queues) & set(get_conf().QUEUES):
        return found
    queueing.create_queues()
    return client.queue_figures(queues)
