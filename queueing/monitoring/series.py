"""The past of queues as points of equal length, for charts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.broker.outcomes import COUNTED, ENDS, State
from queueing.broker.timings import Histogram
from queueing.client import QueueClient

from .store import Kept, Sums, add, added, number, present, ratio, read_metrics, samples_of, sums_of

#: Name, minutes of one field, how many are read at the most: those of ``lua/lib/metrics.lua``.
LEVELS = (("m", 1, 61), ("t", 20, 73), ("h", 120, 85), ("e", 480, 94))
#: The longest time of which anything is kept.
MAX_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in ``seconds`` seconds from ``start`` (epoch seconds), in one queue or several.

    The words are those of the life of a message, each a count; a delivery has one of them. ``sent``
    and ``left`` count messages whoever sent or took them, as samples a minute apart saw it. ``ready``,
    ``delayed``, ``running`` and ``buried`` (dead letters) are the most that a sample found, and so is
    ``latency_seconds``; ``None`` where none was taken, as no worker was there. The last point is not
    over yet.
    """

    start: int
    seconds: int
    sent: int = 0
    left: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    abandoned: int = 0
    released: int = 0
    lease_lost: int = 0
    ready: int | None = None
    delayed: int | None = None
    running: int | None = None
    buried: int | None = None
    latency_seconds: float | None = None
    #: All runs that ended in a worker, and the first deliveries of a message: due until started.
    run: Histogram = field(default_factory=Histogram)
    wait: Histogram = field(default_factory=Histogram)

    @property
    def failure_ratio(self) -> float | None:
        """Of the runs that came to an end, the part that failed or crashed; ``None`` where none did."""
        return ratio(self.retried + self.dead + self.abandoned, self.done)


class History:
    """What is kept of one queue, in spans of some seconds."""

    def __init__(self, kept: Kept, span_seconds: int) -> None:
        self.span_seconds = span_seconds
        self.spans = {number * span_seconds: sums_of(text) for number, text in kept.spans.items()}
        minute, sums = present(kept)
        start = minute * 60 // span_seconds * span_seconds
        self.spans[start] = added([self.spans.get(start, {}), sums])
        # Most queues have none: looking through all spans for each point of a chart would take longer
        # than all the rest.
        self._gaps = [
            (sums["min_unseen_ms"] / 1000, at) for at, sums in self.spans.items() if "min_unseen_ms" in sums
        ]
        samples = samples_of(kept)
        self.since = number(kept.fields.get("since", b"")) / 1000
        self.until = samples[-1][0] / 1000 if samples else 0.0

    def between(self, start: int, end: int) -> tuple[Sums, bool]:
        """The sums of a time, and whether somebody looked then how the queue stands."""
        found = [self.spans[at] for at in range(start, end, self.span_seconds) if at in self.spans]
        was_seen = self.since < end and start <= self.until and not self._is_unseen(start, end)
        # Where a span is as long as a step of the chart there is nothing to add.
        return found[0] if len(found) == 1 else added(found), was_seen

    def _is_unseen(self, start: int, end: int) -> bool:
        """Whether it lies in a gap between two samples, which is noted where the second one is."""
        return any(since <= start and end <= at for since, at in self._gaps)


def read_points(
    client: QueueClient, queues: str | Sequence[str], *, seconds: int, points: int = 60
) -> list[Point]:
    """The last ``seconds`` of a queue, or of several together, in up to ``points`` equal steps.

    As fine as a minute within the last hour, twenty minutes within a day, two hours within a week, eight
    within 31 days; the steps begin at multiples of their length. Raises ``QueueUnavailable``.
    """
    names = [queues] if isinstance(queues, str) else list(queues)
    seconds, points = min(max(60, seconds), MAX_SECONDS), max(1, points)
    level, minutes, most = next(
        (level for level in LEVELS if seconds <= (level[2] - 1) * level[1] * 60), LEVELS[-1]
    )
    step = math.ceil(seconds / points / (minutes * 60)) * minutes * 60
    now_ms, kept = read_metrics(client.session, names, level, minutes, most, "now", "last", "since")
    last = now_ms // 1000 // step * step
    first = last - (math.ceil(seconds / step) - 1) * step
    steps = [_Step(start) for start in range(first, last + 1, step)]
    # One after the other: the past of a hundred queues side by side would be many megabytes.
    for of_queue in kept.values():
        history = History(of_queue, minutes * 60)
        for one in steps:
            one.add(*history.between(one.start, one.start + step))
    return [_point(one, step) for one in steps]


def outflow(client: QueueClient, queues: Sequence[str], *, minutes: int = 60) -> dict[str, list[int | None]]:
    """How many messages left each queue in each of the last whole minutes, whoever took them.

    ``None`` where no worker has looked. Raises ``QueueUnavailable``.
    """
    now_ms, kept = read_metrics(client.session, queues, "m", 1, minutes + 1, "now", "last", "since")
    this_minute = now_ms // 60_000 * 60
    starts = range(this_minute - minutes * 60, this_minute, 60)
    return {name: _outflow(History(of_queue, 60), starts) for name, of_queue in kept.items()}


def _outflow(history: History, starts: range) -> list[int | None]:
    seen = (history.between(start, start + 60) for start in starts)
    return [int(sums.get("left", 0)) if was_seen else None for sums, was_seen in seen]


class _Step:
    """One step of all queues together."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.sums: Sums = {}
        #: The most of each queue, together: not all at the same moment, perhaps.
        self.stands = dict.fromkeys(COUNTED, 0.0)
        self.was_seen = False

    def add(self, sums: Sums, was_seen: bool) -> None:
        """One queue more."""
        add(self.sums, sums)
        self.was_seen |= was_seen
        for name in COUNTED:
            self.stands[name] += sums.get(f"max_{name}", 0)


def _point(step: _Step, seconds: int) -> Point:
    sums = step.sums
    stands = {name: int(most) for name, most in step.stands.items()} if step.was_seen else {}
    count = {name: int(sums.get(name, 0)) for name in ("sent", "left", *ENDS)}
    return Point(
        step.start, seconds,
        sent=count["sent"], left=count["left"], done=count[State.DONE],
        retried=count[State.RETRYING], dead=count[State.DEAD], abandoned=count[State.ABANDONED],
        released=count[State.RELEASED], lease_lost=count[State.LEASE_LOST] + count[State.GONE],
        ready=stands.get(State.READY), delayed=stands.get(State.DELAYED),
        running=stands.get(State.RUNNING), buried=stands.get(State.DEAD),
        latency_seconds=None if not step.was_seen else sums.get("max_latency_ms", 0.0) / 1000,
        run=Histogram.of_runs(sums), wait=Histogram.of_waits(sums),
    )  # fmt: skip
