"""What the admin of queues shows beyond a single look: charts, and figures that stay fresh."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

import queueing
from queueing.admin.links import address
from queueing.broker.outcomes import COUNTED
from queueing.models import Queue
from queueing.monitoring.rates import read_rates

from .changelist import as_row, outflow_of
from .chart_page import ChartPage
from .live import LiveFigures, Snapshot


class QueueOverview:
    """Part of ``QueueAdmin``."""

    #: The columns whose figures are kept fresh on open pages.
    live_columns = (
        *("vt", "delay", "maxsize", "totalrecv", "totalsent", "msgs", "hiddenmsgs"),
        *(*COUNTED, "latency"),
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
        url = f"{address(self.admin_site, 'queue_live')}?{urlencode(shown)}"
        return super().changelist_view(request, {"live_url": url, **(extra_context or {})})  # type: ignore[misc]

    def overview_of(self, queue: Queue) -> dict[str, str]:
        """The addresses that a queue's page needs."""
        return {
            "charts_url": address(self.admin_site, "queue_charts", queue.name),
            "live_url": f"{address(self.admin_site, 'queue_live')}?{urlencode({'name': queue.name})}",
        }

    def figures_of(
        self, queue: Queue, lines: Sequence[Sequence[str]]
    ) -> list[list[tuple[str, SafeString | str]]]:
        """Some columns of the list for the page of a queue: label and figure. Raises ``QueueUnavailable``."""
        client = queueing.get_client()
        queue.rate = read_rates(client, [queue.figures])[queue.name]
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
