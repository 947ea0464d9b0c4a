"""Frozen dataclasses that the client takes and returns.

If a field has a unit, its name ends with the unit, except for the names that RSMQ has defined.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message, with RSMQ's names.

    ``rc`` is the number of deliveries including this one. ``fr`` is the time of the first delivery, and
    ``sent`` the time of the send (with a fraction), both in ms since 1970. ``id`` and ``rc`` are the receipt
    of the delivery. ``headers`` are texts by name, which a sender of this package has added.
    """

    id: str
    body: str
    rc: int
    fr: int
    sent: float
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to send, with options.

    ``delay_ms`` counts from now. ``due_ms`` is ms since 1970 by Redis' clock; a time in the past means now.
    Only one of these two may be given. ``headers`` are texts by name, which only receivers of this package
    see.

    ``deduplication_id`` drops repeats of an event: within ``deduplication_seconds`` of the first send,
    further messages with the same value are not sent, and their senders get the id of the first message. This
    also holds if the first message is done, or if the queue was deleted and created again. For work that may
    be requested again later, use ``@policy(unique=…)``.

    ``priority`` is 1 to 100, or 0 for none. Due messages with a higher priority come first. ``id`` is a
    message id in RSMQ's form, for a caller that must know the id before the send. By default, the send script
    makes the id.
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
    """RSMQ's nine attributes of a queue.

    ``vt`` and ``delay`` are in seconds, ``maxsize`` is in UTF-16 code units (-1: unlimited), ``created`` and
    ``modified`` are in seconds since 1970. The others are numbers of messages.
    """

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
    """The settings of a queue that are not part of RSMQ. A setting that is not set is 0 or empty.

    A message that was received ``max_receive_count`` times and is due again moves to ``dead_letter_queue``. A
    message that has been ready for ``retention_seconds`` is dropped. A paused queue accepts messages, but
    receivers of this package get none from it.
    """

    max_receive_count: int = 0
    dead_letter_queue: str = ""
    retention_seconds: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """The figures of one queue at one moment of Redis' clock.

    ``ready``, ``delayed`` and ``running`` add up to ``attributes.msgs``. ``dead`` counts the messages in the
    dead-letter queue of this queue. ``latency_seconds`` is the age of the oldest ready message, or 0.
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
    """A message in a queue, read without a delivery.

    ``state`` is ``ready``, ``delayed``, ``retrying`` or ``running``. ``due_ms`` and ``sent`` are ms since
    1970. ``body`` may be cut; ``size_bytes`` is the size of the whole body. ``waits_for_limit`` is true if a
    limit of ``@policy`` keeps the message from running. The limit is checked again at ``due_ms`` or earlier.
    """

    id: str
    body: str
    rc: int
    due_ms: int
    sent: float
    state: str
    size_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    waits_for_limit: bool = False


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """The use of one limit key: how many messages with this key run, and how many wait for the limit.

    ``key`` is the name of a task or handler, followed by the value of the function ``key`` if its policy has
    one. ``running`` counts the messages of all queues, ``waiting`` those of one queue.
    """

    key: str
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The messages of one queue that run under a limit, or that wait because of a limit.

    - ``running``: the number of messages that run under the limit of the whole queue
    - ``waiting``: the number of messages that wait because of the limit of their key (``@policy``)
    - ``keys``: some of the limit keys for which messages wait, sorted by name
    """

    running: int
    waiting: int
    keys: tuple[KeyLimit, ...]


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message and its state, read from Redis and from the history.

    ``state`` is a word such as ``ready``, ``running``, ``retrying``, ``done`` or ``dead``. Times are ms since
    1970 by Redis' clock. ``body`` may be cut. ``handler`` is empty until a delivery of the message has ended.
    ``due_ms`` is set while the message is delayed. ``progress`` (0.0 to 1.0) and ``note`` are the progress
    that the present run has reported.

    For a message in the queue, ``attempts`` and ``error`` describe its previous runs. ``attempt`` is a number
    counted from 1: of the next attempt while the message is ready, of the present one while it runs, and of
    the last one in all other states (0 if none has ended). ``task`` is the dotted path of a Django task,
    empty for other messages.
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
        """The duration of the last run in seconds, or ``None`` if no run has ended."""
        if not (self.started_ms and self.finished_ms):
            return None
        return max(0.0, self.finished_ms - self.started_ms) / 1000

    @property
    def percent(self) -> int:
        """The progress in percent, 0 to 100."""
        return round(100 * (self.progress or 0.0))


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress that a run has reported: a fraction from 0.0 to 1.0, and a note."""

    fraction: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """A schedule in the code of a project: its name, its timetable, and the queue to which it sends.

    ``time_zone`` is empty if ``expression`` is an interval. ``missed`` is the policy for times at which no
    worker ran: ``skip``, ``once`` or ``all``.
    """

    name: str
    expression: str
    time_zone: str
    queue: str
    missed: str


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule in Redis. Times are ms since 1970 by Redis' clock. A tick is one time of the schedule.

    - All ticks up to ``settled_ms`` are sent or skipped.
    - ``next_ms`` is the next tick, or 0 without a next tick. A tick before ``now_ms`` is late: no worker has
      sent or skipped it yet.
    - ``last_tick_ms`` is the last tick that sent a message (0 if none has), and ``last_id`` the id of that
      message.
    - ``seen_ms`` is the time at which a worker last registered the schedule.
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
        """The seconds since the next tick was due, 0 if the schedule is on time or paused."""
        return 0.0 if self.paused or not self.next_ms else max(0, self.now_ms - self.next_ms) / 1000


@dataclass(frozen=True, slots=True)
class Ticked:
    """The result of a call that should send the messages of a schedule for its due times (ticks).

    ``word`` is ``sent``, or the reason why nothing was sent:

    - ``paused``: the schedule is paused
    - ``settled``: the messages were already sent, or skipped
    - ``early``: the time is not due yet
    - ``other``: the schedule has another timetable now
    - ``unknown``: the schedule is not in Redis

    ``settled_ms`` and ``now_ms`` are as in ``ScheduleState``. ``id`` is the id of the last message that the
    schedule has sent.
    """

    word: str
    now_ms: int
    settled_ms: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """A batch and the counts of its members.

    Times are ms since 1970; ``started_ms`` is by the clock of the process that sent the batch, and
    ``ended_ms`` is 0 before the end. ``total`` is ``None`` while the members are being sent, and -1 if their
    sender died before it had sent all.

    ``failed`` counts dead members. A dead member that is redriven and succeeds counts as ``done`` instead.
    ``callback`` is ``on_success`` or ``on_failure`` once that callback was sent. ``title`` is the dotted path
    of the first member's task or, if that member is not a task, the name of the member's queue. ``parent`` is
    the id of the batch of which this batch is a member, or ``""``.
    """

    id: str
    title: str
    parent: str
    queues: tuple[str, ...]
    total: int | None
    done: int
    failed: int
    cancelled: int
    started_ms: int
    ended_ms: int
    callback: str
    is_cancelled: bool

    @property
    def waiting(self) -> int:
        """The number of members that have not ended, or whose end is not counted yet."""
        return max(0, (self.total or 0) - self.done - self.failed - self.cancelled)

    @property
    def state(self) -> str:
        """The state of the batch: ``running``, ``done``, ``dead`` or ``cancelled``."""
        if self.is_cancelled:
            return "cancelled"
        if self.total is None or self.waiting:
            return "running"
        return "dead" if self.failed else "cancelled" if self.cancelled else "done"


@dataclass(frozen=True, slots=True)
class Swept:
    """The numbers of changes that one sweep of a queue has made, by kind.

    - ``phantoms``: deleted ids that had no body
    - ``orphans``: deleted fields of messages that no longer exist
    - ``expired``: deleted messages that were older than the retention
    - ``buried``: messages that were moved to the dead-letter queue
    - ``mended``: repaired keys and fields that another program had overwritten
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
    """The time of the send (ms since 1970 with a fraction), read from a message id. 0.0 for an invalid id."""
    try:
        return int(message_id[:10], 36) / 1000
    except ValueError:
        return 0.0
