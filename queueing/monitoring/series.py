"""The metrics of queues over time, as points for charts.

Redis stores the metrics by spans: periods of one minute, twenty minutes, two hours or eight hours. A chart is
divided into steps of equal length. Each step has one or more spans, and becomes one point.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.broker.outcomes import COUNTED, ENDS, State
from queueing.broker.timings import Histogram
from queueing.client import QueueClient

from .store import Kept, Sums, add, added, number, present, ratio, read_metrics, samples_of, sums_of

#: The levels of ``lua/lib/metrics.lua``: name, minutes per span, and the most spans that are read.
LEVELS = (("m", 1, 61), ("t", 20, 73), ("h", 120, 85), ("e", 480, 94))
#: Metrics are kept for this long.
MAX_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Point:
    """The metrics of one or several queues in one step of a chart.

    The step begins at ``start`` (seconds since 1970) and lasts ``seconds``. The last step of a chart is not
    over yet.

    - ``done``, ``retried``, ``dead``, ``abandoned``, ``released`` and ``lease_lost`` each count the
      deliveries that ended in this way. ``lease_lost`` also counts those with the state ``gone``, whose
      message was deleted while it ran.
    - ``sent`` and ``left`` count the messages that all programs sent and removed. The numbers are computed
      from samples a minute apart.
    - ``ready``, ``delayed``, ``running``, ``buried`` (dead letters) and ``latency_seconds`` are the highest
      values of all samples in the step. They are ``None`` if there is no sample, because no worker ran.
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
    #: ``run`` has the durations of all runs that ended in a worker. ``wait`` has the times from due to start
    #: of first deliveries.
    run: Histogram = field(default_factory=Histogram)
    wait: Histogram = field(default_factory=Histogram)

    @property
    def failure_ratio(self) -> float | None:
        """The fraction of the ended runs that failed or crashed, ``None`` if no run ended."""
        return ratio(self.retried + self.dead + self.abandoned, self.done)


class History:
    """The stored metrics of one queue.

    ``spans`` has the metrics of each span by its start, in seconds since 1970.
    """

    def __init__(self, kept: Kept, span_seconds: int) -> None:
        self.span_seconds = span_seconds
        self.spans = {number * span_seconds: sums_of(text) for number, text in kept.spans.items()}
        minute, sums = present(kept)
        start = minute * 60 // span_seconds * span_seconds
        self.spans[start] = added([self.spans.get(start, {}), sums])
        # Most queues have no gaps. A search through all spans for each point of a chart would take longer
        # than all other work.
        self._gaps = [
            (sums["min_unseen_ms"] / 1000, at) for at, sums in self.spans.items() if "min_unseen_ms" in sums
        ]
        samples = samples_of(kept)
        self.since = number(kept.fields.get("since", b"")) / 1000
        self.until = samples[-1][0] / 1000 if samples else 0.0

    def between(self, start: int, end: int) -> tuple[Sums, bool]:
        """Add up the metrics of the time from ``start`` to ``end`` (seconds since 1970).

        Returns the sums, and whether the queue was sampled in this time.
        """
        found = [self.spans[at] for at in range(start, end, self.span_seconds) if at in self.spans]
        was_seen = self.since < end and start <= self.until and not self._is_unseen(start, end)
        # If a step of the chart is one span, there is nothing to add.
        return found[0] if len(found) == 1 else added(found), was_seen

    def _is_unseen(self, start: int, end: int) -> bool:
        """Whether all of the time from ``start`` to ``end`` is in a gap between two samples.

        A gap is a long time without samples, because no worker ran. ``_gaps`` has two times for each gap: its
        beginning, and the start of the span in which it ended.
        """
        return any(since <= start and end <= at for since, at in self._gaps)


def read_points(
    client: QueueClient, queues: str | Sequence[str], *, seconds: int, points: int = 60
) -> list[Point]:
    """Read the metrics of the last ``seconds``, divided into at most ``points`` steps of equal length.

    The metrics of several queues are added up. The shortest step depends on ``seconds``: a minute for up to
    an hour, twenty minutes for up to a day, two hours for up to a week, and eight hours for up to 31 days.
    Steps begin at multiples of their length. Raises ``QueueUnavailable``.
    """
    names = [queues] if isinstance(queues, str) else list(queues)
    seconds, points = min(max(60, seconds), MAX_SECONDS), max(1, points)
    level, minutes, most = next(
        (level for level in LEVELS if seconds <= (level[2] - 1) * level[1] * 60), LEVELS[-1]
    )
    step = math.ceil(seconds / points / (minutes * 60)) * minutes * 60
    now_ms, kept = read_metrics(client, names, level, minutes, most, "now", "last", "since")
    last = now_ms // 1000 // step * step
    first = last - (math.ceil(seconds / step) - 1) * step
    steps = [_Step(start) for start in range(first, last + 1, step)]
    # One queue after the other: the points of a hundred queues together would take many megabytes.
    for of_queue in kept.values():
        history = History(of_queue, minutes * 60)
        for one in steps:
            one.add(*history.between(one.start, one.start + step))
    return [_point(one, step) for one in steps]


def outflow(client: QueueClient, queues: Sequence[str], *, minutes: int = 60) -> dict[str, list[int | None]]:
    """Read how many messages left each queue in each of the last ``minutes`` whole minutes, oldest first.

    Messages that other programs removed count, too. For a minute without a sample, the number is ``None``.
    Raises ``QueueUnavailable``.
    """
    now_ms, kept = read_metrics(client, queues, "m", 1, minutes + 1, "now", "last", "since")
    this_minute = now_ms // 60_000 * 60
    starts = range(this_minute - minutes * 60, this_minute, 60)
    return {name: _outflow(History(of_queue, 60), starts) for name, of_queue in kept.items()}


def _outflow(history: History, starts: range) -> list[int | None]:
    seen = (history.between(start, start + 60) for start in starts)
    return [int(sums.get("left", 0)) if was_seen else None for sums, was_seen in seen]


class _Step:
    """The metrics of all queues in one step of a chart, added up."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.sums: Sums = {}
        #: For each state, the sum of the highest counts of all queues. They may be from different moments.
        self.stands = dict.fromkeys(COUNTED, 0.0)
        self.was_seen = False

    def add(self, sums: Sums, was_seen: bool) -> None:
        """Add the metrics of one queue. ``was_seen`` is true if the queue has a sample in this step."""
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
