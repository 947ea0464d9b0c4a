"""What the client takes and returns: frozen values, times told apart by their suffix."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    ``priority`` from 1 to 100: it comes before all that are due with a lower one (0: it has none).
    ``id``: a whole id of RSMQ's form, where it must be known before it is sent; else the script makes it.
    """

    body: str
    delay_ms: int | None = None
    due_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    deduplication_id: str | None = None
    deduplication_seconds: int = 300
    priority: int = 0
    id: str | None = None


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
class MessageState:
    """A message and its state, read from the queue, the outbox and the history.

    ``state`` is one of the states of messages. Times are ms epochs of the server's clock.
    ``body`` may be the beginning of the body. ``handler`` is empty before the first outcome. ``due_ms`` is
    set while the message is delayed. ``progress`` (0.0 to 1.0) and ``note`` are what its run reports.
    ``attempts`` and ``error`` of a message in the queue are those of its runs so far. ``attempt`` is the
    number of the current or last attempt from 1, and 0 before the first one has ended. ``task`` is the path
    of the Django task, empty for another kind of message.
    """

    id: str
    queue: str
    state: str
    body: str
    sent_ms: float
    attempts: int = 0
    started_ms: float | None = None
    finished_ms: float | None = None
    error: str = ""
    handler: str = ""
    due_ms: float | None = None
    progress: float | None = None
    note: str = ""
    task: str = ""
    attempt: int = 0

    @property
    def run_seconds(self) -> float | None:
        """The length of the last run in seconds, or ``None`` if no run has ended."""
        if not (self.started_ms and self.finished_ms):
            return None
        return max(0.0, self.finished_ms - self.started_ms) / 1000

    @property
    def percent(self) -> int:
        """The progress in percent, 0 to 100."""
        return round(100 * (self.progress or 0.0))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, 0.0 to 1.0, and what it says about it."""

    fraction: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """A schedule as the code has it: its name, when it is due, where it sends to.

    ``time_zone`` is empty where ``expression`` is an interval; ``missed`` is ``skip``, ``once`` or
    ``all``.
    """

    name: str
    expression: str
    time_zone: str
    queue: str
    missed: str


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule as Redis knows it, in ms of the server's clock.

    All ticks up to ``settled_ms`` are sent or skipped. ``next_ms`` is the first one after it: if that
    lies behind ``now_ms``, no worker has taken care of it. ``last_tick_ms`` is the last tick for which
    something was sent, ``last_id`` that message: 0 and empty before the first one. ``seen_ms`` is when
    a worker named it last.
    """

    timing: Timing
    paused: bool
    settled_ms: int
    next_ms: int
    last_tick_ms: int
    last_id: str
    seen_ms: int
    now_ms: int

    @property
    def name(self) -> str:
        return self.timing.name

    @property
    def late_seconds(self) -> float:
        """For how long its next tick has been due; 0 where it is paused, or on time."""
        return 0.0 if self.paused or not self.next_ms else max(0, self.now_ms - self.next_ms) / 1000


@dataclass(frozen=True, slots=True)
class Ticked:
    """What became of ticks: ``sent``, ``paused``, ``settled``, ``early``, ``other`` or ``unknown``.

    ``other``: the schedule has another timetable now, which a newer version of the code has named.
    ``settled_ms`` and ``now_ms`` are as in ``ScheduleState``; ``id`` is the last message.
    """

    word: str
    now_ms: int
    settled_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: phantoms (ids without a body), expired and worn-out messages, orphans.

    ``mended`` counts what another program had spoilt.
    """

    phantoms: int = 0
    expired: int = 0
    buried: int = 0
    orphans: int = 0
    mended: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            self.phantoms + other.phantoms,
            self.expired + other.expired,
            self.buried + other.buried,
            self.orphans + other.orphans,
            self.mended + other.mended,
        )


def sent_ms(message_id: str) -> float:
    """The ms epoch (with µs) in the first ten base-36 digits of an id, 0.0 for a foreign form."""
    try:
        return int(message_id[:10], 36) / 1000
    except ValueError:
        return 0.0
