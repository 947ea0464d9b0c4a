"""What the page shows of the queue at one moment."""

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

#: How many messages the page lists.
LISTED = 20
#: A message that has waited so long has no worker that takes it.
UNATTENDED_SECONDS = 5

#: What is counted in all queues together.
COUNTED = ("ready", "delayed", "running", "dead")

_MESSAGE_ID = re.compile(r"[a-zA-Z0-9]{32}")

#: How a message is shown from its sending to the next look at the queue.
JUST_SENT = MessageState(id="", queue=QUEUE, state="ready", body="Hello World at …", sent_ms=0)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages there are, in all the queues that the page shows."""

    ready: int
    delayed: int
    running: int
    dead: int
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class Board:
    """The queues' figures and newest messages; neither where ``trouble`` kept them from being read."""

    figures: list[QueueFigures] = field(default_factory=list)
    messages: list[MessageState] = field(default_factory=list)
    sent: MessageState | None = None
    trouble: QueueError | None = None

    @property
    def is_away(self) -> bool:
        """Whether the trouble is that Redis does not answer."""
        return isinstance(self.trouble, QueueUnavailable)

    @property
    def counts(self) -> Counts | None:
        """The figures of all queues together, ``None`` where there is no queue."""
        if not self.figures:
            return None
        sums = [sum(getattr(queue, name) for queue in self.figures) for name in COUNTED]
        return Counts(*sums, latency_seconds=max(queue.latency_seconds for queue in self.figures))

    @property
    def paused(self) -> list[QueueFigures]:
        """The queues that give out nothing although messages wait in them."""
        return [queue for queue in self.figures if queue.paused and queue.ready]

    @property
    def unattended(self) -> bool:
        """Whether messages wait and nobody seems to take them."""
        if any(queue.running for queue in self.figures):
            return False
        return any(queue.latency_seconds > UNATTENDED_SECONDS and not queue.paused for queue in self.figures)

    @property
    def last_ready(self) -> str:
        """The id of the last message in the list that is ready: behind it stand those that are not listed."""
        return next((message.id for message in reversed(self.messages) if message.state == "ready"), "")

    @property
    def more_ready(self) -> int:
        """How many messages are ready and not listed."""
        listed = sum(message.state == "ready" for message in self.messages)
        return max(0, sum(queue.ready for queue in self.figures) - listed) if listed else 0


def read(sent_id: str = "", *, queues: Sequence[str] = (QUEUE,)) -> Board:
    """The board of these queues now, with the message ``sent_id`` on it however many came after it.

    Never raises for a queue's sake: the first call that fails is the last one made, so a Redis
    that does not answer costs one time-out.
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
    """The figures of those queues that are there; a configured one that is missing is created first."""
    client = queueing.get_client()
    found = client.queue_figures(queues)
    if {queue.name for queue in found} >= set(queues) & set(get_conf().QUEUES):
        return found
    queueing.create_queues()
    return client.queue_figures(queues)
