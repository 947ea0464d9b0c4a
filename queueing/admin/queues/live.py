"""Figures of queues for pages that are open: read at most once a second for all who look at the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View

import queueing
from queueing.admin.database_away import unavailable
from queueing.client import QueueClient
from queueing.exceptions import QueueUnavailable
from queueing.messages import QueueFigures
from queueing.models import Queue
from queueing.monitoring import alerts
from queueing.monitoring.rates import Rate, read_rates
from queueing.resilience.single_flight import Shared
from queueing.templatetags.queueing_text import visible

if TYPE_CHECKING:
    from .admin import QueueAdmin

Column = Callable[[Any, Queue], Any]


def lively(column: Column) -> Column:
    """A column whose figure is kept fresh while its page is open."""
    name = column.__name__

    @wraps(column)
    def shown(admin: Any, queue: Queue) -> SafeString:
        return format_html('<span data-live="{}">{}</span>', place(name, queue), column(admin, queue))

    return shown


def place(column: str, queue: Queue) -> str:
    """The name of the place of a figure in a page."""
    return f"{column} {visible(queue.name)}"


@dataclass(frozen=True, slots=True)
class Question:
    """Which queues somebody looks at: one by its name, or a page of those with a text in their names."""

    client: QueueClient
    name: str | None
    text: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How some queues stood at one moment, how fast they fill and empty, and what to look after."""

    figures: list[QueueFigures]
    rates: dict[str, Rate]
    alerts: list[alerts.Alert]


def take(client: QueueClient, names: list[str]) -> Snapshot:
    """Look at these queues now, in a few round trips. Raises ``QueueUnavailable``."""
    figures = client.queue_figures(names)
    return Snapshot(figures, read_rates(client, figures), alerts.read(client, figures, names))


def _read(question: Question) -> Snapshot:
    if question.name is not None:
        return take(question.client, [question.name])
    text = question.text.lower()
    names = sorted(name for name in question.client.list_queues() if text in name.lower())
    return take(question.client, names[question.start : question.start + question.count])


_snapshots: Shared[Question, Snapshot] = Shared(_read)


class LiveFigures(View):
    """The figures of the queue ``name``, or of those on page ``p`` of the list for ``q``."""

    http_method_names = ("get", "head", "options")
    model_admin: "QueueAdmin | None" = None

    def get(self, request: HttpRequest) -> HttpResponse:
        """Each figure with its place."""
        if not self.model_admin.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            reading = _snapshots.get(self._question(request))
        except QueueUnavailable as error:
            context = unavailable(error)
        else:
            rows = self.model_admin.rows(reading.value)
            context = {
                "age_seconds": reading.age_seconds,
                "alerts": reading.value.alerts,
                "cells": [self._cell(name, row) for row in rows for name in self.model_admin.live_columns],
            }
        return TemplateResponse(request, "admin/queueing/queue/live.html", context)

    def _cell(self, column: str, queue: Queue) -> Any:
        return getattr(self.model_admin, column)(queue)

    def _question(self, request: HttpRequest) -> Question:
        count = self.model_admin.list_per_page
        page = request.GET.get("p", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
        client, text = queueing.get_client(), request.GET.get("q", "")
        return Question(client, request.GET.get("name"), text, max(0, number - 1) * count, count)
