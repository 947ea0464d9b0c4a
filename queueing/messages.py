"""What the client returns: frozen values, times told apart by their suffix."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message.

    ``rc`` counts deliveries (this one included), ``fr`` is the ms epoch of the first one, ``sent``
    the ms epoch of the sending with a fraction for the µs: all as RSMQ has them. ``id`` and ``rc``
    together are the receipt of this delivery.
    """

    id: str
    body: str
    rc: int
    fr: int
    sent: float


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


@dataclass(frozen=True, slots=True)
class PeekedMessage:
    """A message seen without receiving it.

    ``state`` is ``ready``, ``delayed``, ``retrying`` or ``running``.
    """

    id: str
    body: str
    rc: int
    due_ms: int
    sent: float
    state: str


def sent_ms(message_id: str) -> float:
    """The ms epoch (with µs) in the first ten base-36 digits of an id, 0.0 for a foreign form."""
    try:
        return int(message_id[:10], 36) / 1000
    except ValueError:
        return 0.0
