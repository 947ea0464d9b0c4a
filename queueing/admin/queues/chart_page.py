"""The page with the charts of a queue, or of all queues together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import django.contrib.admin.utils as admin_utils
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views import View

import queueing
from queueing.admin.database_away import unavailable
from queueing.admin.links import address
from queueing.admin.overview import console_alerts
from queueing.broker.keys import is_dead_letter_queue
from queueing.client import QueueClient
from queueing.exceptions import QueueUnavailable
from queueing.models import Queue
from queueing.monitoring.charts import draw
from queueing.monitoring.series import Point, read_points
from queueing.resilience.single_flight import Shared
from queueing.templatetags.queueing_text import duration

from .charts import RANGES, Range, charts, range_of

if TYPE_CHECKING:
    from .admin import QueueAdmin

#: Of more queues together nothing is added up: each is read for every look. Workers note no more, either.
MOST_QUEUES = 100
#: The points of a chart are a minute or longer: a look this old shows the same.
FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Question:
    """What a page shows; ``queue`` is ``None`` for all."""

    client: QueueClient
    queue: str | None
    range: Range


@dataclass(frozen=True, slots=True)
class Past:
    """The points, and how many queues they are of, out of how many."""

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
    """All but those that keep dead letters: what lies there is no work."""
    names = client.list_queues()
    dead = {client.dead_letter_queue(name) for name in names}
    return sorted(name for name in names if name not in dead and not is_dead_letter_queue(name))


_pasts: Shared[Question, Past] = Shared(_read, seconds=FRESH_SECONDS, most=16)


class ChartPage(View):
    """GET shows it; with ``part`` in the query only what changes, for a page that is open already."""

    http_method_names = ("get", "head", "options")
    model_admin: "QueueAdmin | None" = None

    def get(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """The charts, or in their place that Redis is away."""
        if not self.model_admin.has_view_or_change_permission(request):
            raise PermissionDenied
        name = None if object_id is None else admin_utils.unquote(object_id)
        chosen = range_of(request.GET.get("range"))
        try:
            if name is not None and self.model_admin.get_object(request, name) is None:
                return self.model_admin._get_obj_does_not_exist_redirect(
                    request, self.model_admin.opts, object_id
                )
            reading = _pasts.get(Question(queueing.get_client(), name, chosen))
        except QueueUnavailable as error:
            parts = unavailable(error)
        else:
            parts = _parts(reading.value) | {"age_seconds": reading.age_seconds}
            parts["alerts"] = console_alerts(request)
        parts["live_url"] = f"?range={chosen.name}&part=live"
        if "part" in request.GET:
            parts["is_live"] = True
            return TemplateResponse(request, "admin/queueing/queue/charts_live.html", parts)
        return self._page(request, name, chosen, parts)

    def _page(
        self, request: HttpRequest, name: str | None, chosen: Range, parts: dict[str, Any]
    ) -> HttpResponse:
        admin = self.model_admin
        queue = None if name is None else Queue(name=name)
        context = {
            **admin.admin_site.each_context(request),
            "title": _("Charts"),
            "subtitle": str(queue) if queue else _("all queues"),
            "opts": admin.opts,
            "original": queue,
            "media": admin.media,
            "ranges": [(one.label, f"?range={one.name}", one is chosen) for one in RANGES],
            "queue_url": queue and address(admin.admin_site, "queue_change", queue.name),
            **parts,
        }
        return TemplateResponse(request, "admin/queueing/queue/charts.html", context)


def _parts(past: Past) -> dict[str, Any]:
    return {
        "charts": [draw(chart) for chart in charts(past.points)],
        "step": duration(past.points[0].seconds),
        "past": past,
    }
