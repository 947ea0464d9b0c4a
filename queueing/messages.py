"""What the client takes and returns: frozen values, times told apart by their suffix."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message.

    ``rc`` counts deliveries (this one included), ``fr`` is the ms epoch of the first one, ``sent``
    the ms epoch of the sending with a fraction for the µs: all as RSMQ has them. ``id`` and ``rc``
    together are the receipt of this delivery. ``headers`` are what our sender gave beside the body.
    """

    id: str
    body: str
    rc: int
    fr: int
    sent: float
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to send, with what goes beyond its body.

    ``delay_ms`` from now or ``due_ms`` as a ms epoch of the server's clock (one of them; a moment
    in the past is now); ``headers`` are texts that travel beside the body, seen by our receivers
    only. Of messages with the same ``deduplication_id`` only the first in ``deduplication_seconds``
    is sent; the others get its id, even if the queue was deleted and made again meanwhile.
    """

    body: str
    delay_ms: int | None = None
    due_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    deduplication_id: str | None = None
    deduplication_seconds: int = 300


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """RSMQ's nine attributes: seconds, seconds, UTF-16 units (-1: unlimited), counts, epoch seconds."""

    vt: int
    delay: int
    maxsize: int
    totalrecv: int
    totalsent: int
    created: int
    modified: int
    msgs: int
    hiddenmsgs: int


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """What a queue has beyond RSMQ's attributes; 0 and empty where it has none.

    A message that was received ``max_receive_count`` times and is due again goes to
    ``dead_letter_queue``; one that has been ready for ``retention_seconds`` is dropped; a paused
    queue takes messages and gives none out to receivers of ours.
    """

    max_receive_count: int = 0
    dead_letter_queue: str = ""
    retention_seconds: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What there is to know about one queue at one moment of the server's clock.

    ``ready``, ``delayed`` and ``running`` add up to ``attributes.msgs``; ``dead`` counts the
    messages of its dead-letter queue; ``latency_seconds`` is the age of the oldest ready message,
    0 where none is ready.
    """

    name: str
    attributes: QueueAttributes
    ready: int
    delayed: int
    running: int
    dead: int
    latency_seconds: float
    paused: bool = False


@dataclass(frozen=True, slots=True)
class PeekedMessage:
    """A message seen without receiving it.

    ``state`` is ``ready``, ``delayed``, ``retrying`` or ``running``; ``size_bytes`` is that of the
    whole body, of which ``body`` may be the beginning.
    """

    id: str
    body: str
    rc: int
    due_ms: int
    sent: float
    state: str
    size_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """What a worker last told of itself, and how many seconds ago by the server's clock."""

    name: str
    age_seconds: float
    record: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: phantoms (ids without a body), expired and worn-out messages, orphans."""

    phantoms: int = 0
    expired: int = 0
    buried: int = 0
    orphans: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            self.phantoms + other.phantoms,
            self.expired + other.expired,
            self.buried + other.buried,
            self.orphans + other.orphans,
        )


def sent_ms(message_id: str) -> float:
    """The ms epoch (with µs) in the first ten base-36 digits of an id, 0.0 for a foreign form."""
    try:
        return int(message_id[:10], 36) / 1000
    except ValueError:
        return 0.0
