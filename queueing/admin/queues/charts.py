"""The charts of one queue or of all queues together, and the page that shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

import queueing
from queueing.admin.base import console_alerts, figures_or_trouble
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.broker.timings import Histogram
from queueing.client import QueueClient
from queueing.monitoring.charts import COUNTS, SECONDS, Chart, Series, draw
from queueing.monitoring.series import Point, read_points
from queueing.resilience.single_flight import SingleFlight
from queueing.templatetags.queueing_text import duration


@dataclass(frozen=True, slots=True)
class Range:
    """A period that charts can show, and the number of points in each chart."""

    name: str
    label: str
    seconds: int
    points: int


RANGES = (
    Range("hour", gettext_lazy("Last hour"), 3600, 60),
    Range("day", gettext_lazy("Last day"), 86_400, 72),
    Range("week", gettext_lazy("Last week"), 7 * 86_400, 84),
    Range("month", gettext_lazy("Last month"), 30 * 86_400, 90),
)
#: The charts of all queues include at most this number of queues, because every queue adds data to read.
#: Workers also sample no more queues than this.
MOST_QUEUES = 100
#: The seconds for which the points of charts are cached. Each point covers at least a minute.
FRESH_SECONDS = 5.0
PERCENTILES = (50, 95, 99)
#: A line of a chart: its CSS class, its label, and the function that returns its value at a point.
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
LATENCY: tuple[Line, ...] = (("latency", gettext_lazy("oldest"), lambda point: point.latency_seconds),)


def range_of(name: str | None) -> Range:
    """The range with this name. If the name is unknown, it is the first range."""
    return next((one for one in RANGES if one.name == name), RANGES[0])


def charts(points: Sequence[Point]) -> list[Chart]:
    """All charts of these points. The last point has no rate, because its period has not ended yet."""
    times = [datetime.fromtimestamp(point.start, UTC) for point in points]
    flow = (
        (
            "sent",
            pgettext("messages", "in"),
            lambda point: _per_minute(point, point.sent, points[-1]),
        ),
        (
            "rate-out",
            pgettext("messages", "out"),
            lambda point: _per_minute(point, point.left, points[-1]),
        ),
    )

    def chart(title: str, lines: Sequence[Line], measure: object, shape: str) -> Chart:
        lines_of = [Series(name, str(label), [value(p) for p in points]) for name, label, value in lines]
        return Chart(title, times, lines_of, measure, shape)  # type: ignore[arg-type]

    return [
        chart(_("Throughput and failures: outcomes of deliveries"), OUTCOMES, COUNTS, "bars"),
        chart(_("Messages in and out per minute, by all programs"), flow, COUNTS, "lines"),
        chart(_("Run time"), _percentiles(lambda point: point.run), SECONDS, "lines"),
        chart(_("Wait: from due to started"), _percentiles(lambda point: point.wait), SECONDS, "lines"),
        chart(_("Backlog: messages in the queue"), BACKLOG, COUNTS, "area"),
        chart(_("Age of the oldest ready message"), LATENCY, SECONDS, "area"),
    ]


def _percentiles(histogram: Callable[[Point], Histogram]) -> list[Line]:
    return [
        (f"p{percent}", f"p{percent}", lambda point, percent=percent: histogram(point).percentile(percent))
        for percent in PERCENTILES
    ]


def _per_minute(point: Point, count: int, last: Point) -> float | None:
    is_known = point.ready is not None and point is not last
    return count * 60 / point.seconds if is_known else None


@dataclass(frozen=True, slots=True)
class Question:
    """The queue and the range that a page of charts shows. ``queue`` is ``None`` for all queues."""

    client: QueueClient
    queue: str | None
    range: Range


@dataclass(frozen=True, slots=True)
class Past:
    """The points of the charts.

    At most ``MOST_QUEUES`` queues are read. ``queues`` is the number of queues that were read, and ``of`` is
    the number of queues that were requested.
    """

    points: list[Point]
    queues: int
    of: int


def _read(question: Question) -> Past:
    client, queue = question.client, question.queue
    names = [queue] if queue is not None else _working_queues(client)
    read = names[:MOST_QUEUES]
    points = read_points(client, read, seconds=question.range.seconds, points=question.range.points)
    return Past(points, len(read), len(names))


def _working_queues(client: QueueClient) -> list[str]:
    """The sorted names of all queues except dead-letter queues."""
    names = client.list_queues()
    dead = {client.dead_letter_queue(name) for name in names}
    return sorted(name for name in names if name not in dead and not is_dead_letter_queue(name))


pasts: SingleFlight[Question, Past] = SingleFlight(_read, seconds=FRESH_SECONDS, most=16)


def _parts(past: Past) -> dict[str, Any]:
    return {
        "charts": [draw(chart) for chart in charts(past.points)],
        "step": duration(past.points[0].seconds),
        "past": past,
    }


def chart_page(request: HttpRequest, queue: str | None) -> dict[str, Any]:
    """The template context for the page of charts. ``queue`` is ``None`` for all queues."""
    chosen = range_of(request.GET.get("range"))

    def read() -> dict[str, Any]:
        client = queueing.get_client().reachable()
        # The client skips partitions that cannot be read. ``at`` makes the read of a single queue raise an
        # error instead, so that its page shows the reason.
        reading = pasts.get(Question(client if queue is None else client.at([queue]), queue, chosen))
        alerts = console_alerts(request)
        return {**_parts(reading.value), "age_seconds": reading.age_seconds, "alerts": alerts}

    return {
        **figures_or_trouble(read),
        "live_url": f"?range={chosen.name}&part=live",
        "is_live": "part" in request.GET,
        "ranges": [(one.label, f"?range={one.name}", one is chosen) for one in RANGES],
    }
