"""Which charts there are of a queue, or of all, and how its past becomes their series."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from queueing.broker.outcomes import State
from queueing.broker.timings import Histogram
from queueing.monitoring.charts import COUNTS, SECONDS, Chart, Series
from queueing.monitoring.series import Point


@dataclass(frozen=True, slots=True)
class Range:
    """A time that can be looked at, in so many points."""

    name: str
    label: str
    seconds: int
    points: int


RANGES = (
    Range("hour", pgettext_lazy("time of a chart", "hour"), 3600, 60),
    Range("day", pgettext_lazy("time of a chart", "day"), 86_400, 72),
    Range("week", pgettext_lazy("time of a chart", "week"), 7 * 86_400, 84),
    Range("month", pgettext_lazy("time of a chart", "month"), 30 * 86_400, 90),
)
PERCENTILES = (50, 95, 99)
#: Class, label, value of a point.
Line = tuple[str, str, Callable[[Point], float | None]]
OUTCOMES: tuple[Line, ...] = (
    (State.DONE, State.DONE.label, lambda point: point.done),
    (State.RETRYING, State.RETRYING.label, lambda point: point.retried),
    (State.ABANDONED, State.ABANDONED.label, lambda point: point.abandoned),
    (State.DEAD, State.DEAD.label, lambda point: point.dead),
)
BACKLOG: tuple[Line, ...] = (
    (State.READY, State.READY.label, lambda point: point.ready),
    (State.DELAYED, State.DELAYED.label, lambda point: point.delayed),
    (State.RUNNING, State.RUNNING.label, lambda point: point.running),
)
LATENCY: tuple[Line, ...] = (("latency", gettext_lazy("latency"), lambda point: point.latency_seconds),)


def range_of(name: str | None) -> Range:
    """The range of that name; of any other the first."""
    return next((one for one in RANGES if one.name == name), RANGES[0])


def charts(points: Sequence[Point]) -> list[Chart]:
    """All charts of these points. The last point is not over: of a rate nothing is told there."""
    times = [datetime.fromtimestamp(point.start, UTC) for point in points]
    flow = (
        ("sent", _("in"), lambda point: _per_minute(point, point.sent, points[-1])),
        ("rate-out", _("out"), lambda point: _per_minute(point, point.left, points[-1])),
    )

    def chart(title: str, lines: Sequence[Line], measure: object, shape: str) -> Chart:
        series = [Series(name, str(label), [value(p) for p in points]) for name, label, value in lines]
        return Chart(title, times, series, measure, shape)  # type: ignore[arg-type]

    return [
        chart(_("Throughput and failures: what became of deliveries"), OUTCOMES, COUNTS, "bars"),
        chart(_("Messages in and out a minute, whoever sends and takes"), flow, COUNTS, "lines"),
        chart(_("Run time"), _percentiles(lambda point: point.run), SECONDS, "lines"),
        chart(_("Wait: from due to started"), _percentiles(lambda point: point.wait), SECONDS, "lines"),
        chart(_("Backlog: messages in the queue"), BACKLOG, COUNTS, "area"),
        chart(_("Latency: age of the oldest ready message"), LATENCY, SECONDS, "area"),
    ]


def _percentiles(histogram: Callable[[Point], Histogram]) -> list[Line]:
    return [
        (f"p{percent}", f"p{percent}", lambda point, percent=percent: histogram(point).percentile(percent))
        for percent in PERCENTILES
    ]


def _per_minute(point: Point, count: int, last: Point) -> float | None:
    is_known = point.ready is not None and point is not last
    return count * 60 / point.seconds if is_known else None
