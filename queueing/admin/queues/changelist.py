"""The list of queues: one page of names with figures for those on it only, kept fresh while it is open.

Figures are read at most once a second for all viewers of the same queues.
"""

import re
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import django.contrib.admin.utils as admin_utils
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import InvalidPage
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString

import queueing
from queueing.admin.base import address, trouble_of
from queueing.broker.keys import dead_letter_queue, low_priority_queue
from queueing.client import QueueClient
from queueing.exceptions import QueueUnavailable
from queueing.messages import QueueFigures
from queueing.models import Queue
from queueing.monitoring import alerts
from queueing.monitoring.alerts import Alert
from queueing.monitoring.rates import Rate, read_rates
from queueing.monitoring.series import outflow as read_outflow
from queueing.resilience.single_flight import SingleFlight
from queueing.templatetags.queueing_text import visible

Column = Callable[[Queue], Any]


def lively(column: Column) -> Column:
    """A column whose figure is kept fresh while its page is open. Cards show its label beside it."""
    name = column.__name__

    @wraps(column)
    def shown(queue: Queue) -> SafeString:
        label = strip_tags(str(column.short_description))  # type: ignore[attr-defined]
        return format_html(
            '<span data-live="{}" data-label="{}">{}</span>', place(name, queue), label, column(queue)
        )

    return shown


def place(column: str, queue: Queue) -> str:
    """The name of the place of a figure in a page."""
    return f"{column} {visible(queue.name)}"


@dataclass(frozen=True, slots=True)
class Question:
    """The queues that a page shows: one by its name, or a page of those with a text in their names."""

    client: QueueClient
    name: str | None
    text: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of some queues at one moment, how fast they fill and empty, and the warnings."""

    figures: list[QueueFigures]
    rates: dict[str, Rate]
    alerts: list[Alert]


def take(client: QueueClient, names: list[str]) -> Snapshot:
    """Read these queues now, in a few round trips. Raises ``QueueUnavailable``."""
    found = {queue.name: queue for queue in client.queue_figures(names)}
    figures = [found[name] for name in names if name in found]
    return Snapshot(figures, read_rates(client, figures), alerts.read(client, figures, names))


def _read(question: Question) -> Snapshot:
    if question.name is not None:
        return take(question.client, [question.name])
    text = question.text.lower()
    names = in_order(name for name in question.client.list_queues() if text in name.lower())
    return take(question.client, names[question.start : question.start + question.count])


snapshots: SingleFlight[Question, Snapshot] = SingleFlight(_read)


def in_order(names: Iterable[str]) -> list[str]:
    """By name, each dead-letter and low-priority queue directly below its queue."""
    known = frozenset(names)
    return sorted(known, key=lambda name: family(name, known))


def family(name: str, names: Collection[str]) -> tuple[str, ...]:
    """The queue among ``names`` to which this one belongs, and the suffixes that lead from it to this one."""
    for suffix in (dead_letter_queue(""), low_priority_queue("")):
        base = name.removesuffix(suffix)
        if base != name and base in names:
            return (*family(base, names), suffix)
    return (name,)


def question(request: HttpRequest, page_size: int) -> Question:
    """The queue ``name``, or those on page ``p`` of the list for ``q``."""
    page = request.GET.get("p", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    client, text = queueing.get_client(), request.GET.get("q", "")
    return Question(client, request.GET.get("name"), text, max(0, number - 1) * page_size, page_size)


def as_row(figures: QueueFigures) -> Queue:
    """The model's instance of a queue, with its figures as ``.figures``."""
    queue = Queue(name=figures.name)
    queue.figures = figures
    return queue


def with_rate(site: AdminSite, queue: Queue, rate: Rate) -> Queue:
    """The row with all that the columns show, but its curve."""
    queue.rate = rate
    queue.dead_letter_queue = queueing.get_client().dead_letter_queue(queue.name)
    queue.dead_url = address(site, "queue_change", queue.dead_letter_queue) if queue.figures.dead else ""
    queue.charts_url = address(site, "queue_charts", queue.name) if queue.name and is_text(queue.name) else ""
    queue.outflow = []
    return queue


def rows(site: AdminSite, snapshot: Snapshot) -> list[Queue]:
    """The queues of a snapshot, as rows of the list."""
    found = [with_rate(site, as_row(one), snapshot.rates[one.name]) for one in snapshot.figures]
    names = {queue.name for queue in found}
    for queue in found:
        queue.depth = len(family(queue.name, names)) - 1
    return found


def is_text(name: str) -> bool:
    """Whether a name can be part of an address: bytes that are not UTF-8 come as lone surrogates."""
    return not re.search("[\ud800-\udfff]", name)


def _read_outflow(question: tuple[QueueClient, tuple[str, ...]]) -> dict[str, list[int | None]]:
    return read_outflow(*question)


#: The curves are of whole minutes: one this old shows the same.
outflows: SingleFlight[tuple[QueueClient, tuple[str, ...]], dict[str, list[int | None]]] = SingleFlight(
    _read_outflow, seconds=20, most=8
)


def outflow_of(client: QueueClient, names: Sequence[str]) -> dict[str, list[int | None]]:
    """The outflow of these queues, at most some seconds old. Raises ``QueueUnavailable``."""
    return outflows.get((client, tuple(names))).value


class QueueList(ChangeList):
    """A page of queues by name; empty, and ``unavailable``, while Redis is away."""

    unavailable = False
    trouble = ""
    alerts: tuple[Alert, ...] = ()

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """No rows: the database has none. Sets what the list needs to know of filters: none."""
        self.filter_specs: list[Any] = []
        self.has_filters = self.has_active_filters = False
        return self.root_queryset.none()

    def get_results(self, request: HttpRequest) -> None:
        """Read one page of queues, and figures for the queues on it only."""
        try:
            client = queueing.get_client()
            self._take_page(request, in_order(filter(self._is_sought, client.list_queues())))
            snapshot = take(client, self.result_list)
            outflow = outflow_of(client, self.result_list)
        except QueueUnavailable as error:
            self.unavailable, self.trouble = True, trouble_of(error)
            self._take_page(request, [])
            return
        self.alerts = tuple(snapshot.alerts)
        self.result_list = rows(self.model_admin.admin_site, snapshot)
        for queue in self.result_list:
            queue.tools = self.model_admin.row_tools(request, queue)
            queue.outflow = outflow[queue.name]

    def _is_sought(self, name: str) -> bool:
        return self.query.lower() in name.lower()

    def _take_page(self, request: HttpRequest, names: list[str]) -> None:
        self.paginator = self.model_admin.get_paginator(request, names, self.list_per_page)
        self.result_count = self.full_result_count = self.paginator.count
        self.show_full_result_count = True
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = self.result_count > self.list_per_page
        try:
            self.result_list = list(self.paginator.page(self.page_num).object_list)
        except InvalidPage:
            self.result_list = list(self.paginator.page(1).object_list)

    def url_for_result(self, result: Queue) -> str:
        """The queue's page; no character of a foreign name ends the path or fails.

        Raises ``NoReverseMatch``, which leaves the link out, if the name is not text.
        """
        if not is_text(result.name):
            raise NoReverseMatch
        return f"{urllib.parse.quote(admin_utils.quote(result.name))}/change/"
