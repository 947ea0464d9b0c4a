"""What the admin of queues shows beyond a single look: charts, and figures that stay fresh."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import django.contrib.admin.utils as admin_utils
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import queueing

from .. import metrics
from ..charts import sparkline
from ..models import Queue
from ..templatetags.queueing_text import duration
from .chart_page import ChartPage
from .queue_list import as_row, is_text, outflow_of
from .queue_live import LiveFigures, Snapshot, lively


class QueueOverview:
    """Part of ``QueueAdmin``."""

    #: The columns whose figures are kept fresh on open pages.
    live_columns = (
        *("vt", "delay", "maxsize", "totalrecv", "totalsent", "msgs", "hiddenmsgs"),
        *("ready", "delayed", "running", "dead", "latency"),
        *("rate_in", "rate_out", "failures", "drain", "paused"),
    )

    # --- addresses -----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The charts of all queues and of one, and what open pages ask for."""
        charts = self.admin_site.admin_view(ChartPage.as_view(model_admin=self))
        live = self.admin_site.admin_view(LiveFigures.as_view(model_admin=self))
        return [
            path("charts/", charts, name="queueing_queue_charts_of_all"),
            path("live/", live, name="queueing_queue_live"),
            path("<str:object_id>/charts/", charts, name="queueing_queue_charts"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with where its open page asks for newer figures."""
        shown = {name: request.GET[name] for name in ("p", "q") if name in request.GET}
        url = f"{reverse('admin:queueing_queue_live')}?{urlencode(shown)}"
        return super().changelist_view(request, {"live_url": url, **(extra_context or {})})  # type: ignore[misc]

    def overview_of(self, queue: Queue) -> dict[str, str]:
        """The addresses that a queue's page needs."""
        quoted = admin_utils.quote(queue.name)
        return {
            "charts_url": reverse("admin:queueing_queue_charts", args=[quoted]),
            "live_url": f"{reverse('admin:queueing_queue_live')}?{urlencode({'name': queue.name})}",
        }

    def figures_of(
        self, queue: Queue, lines: Sequence[Sequence[str]]
    ) -> list[list[tuple[str, SafeString | str]]]:
        """Some columns of the list for the page of a queue: label and figure. Raises ``QueueUnavailable``."""
        client = queueing.get_client()
        queue.rate = metrics.rates(client, [queue.figures])[queue.name]
        queue.outflow = outflow_of(client, [queue.name])[queue.name]
        queue.dead_letter_queue = client.dead_letter_queue(queue.name)
        columns = [[getattr(self, name) for name in line] for line in lines]
        return [[(column.short_description, column(queue)) for column in line] for line in columns]

    # --- rows ----------------------------------------------------------------------------------

    def rows(self, snapshot: Snapshot) -> list[Queue]:
        """The queues of a snapshot as the columns take them."""
        client = queueing.get_client()
        rows = []
        for figures in snapshot.figures:
            queue = as_row(figures)
            queue.rate = snapshot.rates[figures.name]
            queue.dead_letter_queue = client.dead_letter_queue(figures.name)
            rows.append(queue)
        return rows

    # --- columns -------------------------------------------------------------------------------

    @lively
    @admin.display(description=gettext_lazy("rate in"))
    def rate_in(self, queue: Queue) -> str:
        """Messages sent, whoever sends."""
        return _rate(queue.rate.in_per_second)

    @lively
    @admin.display(description=gettext_lazy("rate out"))
    def rate_out(self, queue: Queue) -> str:
        """Messages gone, whoever takes."""
        return _rate(queue.rate.out_per_second)

    @lively
    @admin.display(description=gettext_lazy("failure %"))
    def failures(self, queue: Queue) -> str:
        """Of the runs of the last minutes, the part that failed or crashed."""
        ratio = queue.rate.failure_ratio
        if ratio is None:
            return "–"
        text = f"{ratio:.1%}" if 0 < ratio < 0.1 else f"{ratio:.0%}"
        return format_html('<span class="queueing-bad">{}</span>', text) if ratio else text

    @lively
    @admin.display(description=gettext_lazy("time to drain"))
    def drain(self, queue: Queue) -> str:
        """Until nothing is ready any more, if all goes on like this."""
        rate = queue.rate
        if rate.in_per_second is None:
            return "–"
        return _("never") if rate.drain_seconds is None else duration(rate.drain_seconds)

    @admin.display(description=gettext_lazy("last hour"))
    def spark(self, queue: Queue) -> str:
        """Messages out, minute by minute, with the way to the charts."""
        curve = sparkline(queue.outflow, _("messages out a minute, last hour"))
        if not (curve and is_text(queue.name)):
            return curve
        return format_html('<a href="{}">{}</a>', self.overview_of(queue)["charts_url"], curve)


def _rate(per_second: float | None) -> str:
    """Per second where that is one or more, else per minute."""
    if per_second is None:
        return "–"
    if per_second >= 1:
        return _("%s/s") % f"{per_second:,.0f}"
    per_minute = per_second * 60
    return _("%s/min") % (f"{per_minute:.1f}" if 0 < per_minute < 10 else f"{per_minute:.0f}")
