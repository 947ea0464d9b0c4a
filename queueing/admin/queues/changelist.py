"""The list of queues. Only the figures of the queues on the current page are read.

An open page polls for new figures. For these polls, Redis is read at most once a second, and all users who
view the same queues share the result.
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
    """Wrap the output of ``column`` in an HTML element, so that the script of an open page can update it.

    The attribute ``data-live`` of the element identifies the figure. ``data-label`` is the column's title.
    """
    name = column.__name__

    @wraps(column)
    def shown(queue: Queue) -> SafeString:
        label = strip_tags(str(column.short_description))  # type: ignore[attr-defined]
        return format_html(
            '<span data-live="{}" data-label="{}">{}</span>', place(name, queue), label, column(queue)
        )

    return shown


def place(column: str, queue: Queue) -> str:
    """The value of the ``data-live`` attribute of a figure. An open page finds the element by this value."""
    return f"{column} {visible(queue.name)}"


@dataclass(frozen=True, slots=True)
class Question:
    """The queues whose figures a page shows.

    If ``name`` is set, the page shows only this queue. Otherwise, it shows ``count`` of the queues whose
    names contain ``text``, beginning at the index ``start``.
    """

    client: QueueClient
    name: str | None
    text: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of some queues at one moment, the rates of messages in and out, and the warnings."""

    figures: list[QueueFigures]
    rates: dict[str, Rate]
    alerts: list[Alert]


def take(client: QueueClient, names: list[str]) -> Snapshot:
    """Read a snapshot of these queues in a few round trips. Queues that do not exist are left out.

    Raises ``QueueUnavailable``.
    """
    found = {queue.name: queue for queue in client.queue_figures(names)}
    figures = [found[name] for name in names if name in found]
    return Snapshot(figures, read_rates(client, figures), alerts.read(client, figures, names))


def _read(question: Question) -> Snapshot:
    if question.name is not None:
        question.client.at([question.name])  # raises an error if the queue's partition is left out
        return take(question.client, [question.name])
    text = question.text.lower()
    names = in_order(name for name in question.client.list_queues() if text in name.lower())
    return take(question.client, names[question.start : question.start + question.count])


snapshots: SingleFlight[Question, Snapshot] = SingleFlight(_read, has_texts=True)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort queue names. The dead-letter and low-priority queues of a queue follow directly after it."""
    known = frozenset(names)
    return sorted(known, key=lambda name: family(name, known))


def family(name: str, names: Collection[str]) -> tuple[str, ...]:
    """The sort key of a queue.

    The key of ``mail-dead`` is ``("mail", "-dead")`` if ``mail`` is in ``names``, else ``("mail-dead",)``.
    """
    for suffix in (dead_letter_queue(""), low_priority_queue("")):
        base = name.removesuffix(suffix)
        if base != name and base in names:
            return (*family(base, names), suffix)
    return (name,)


def question(request: HttpRequest, page_size: int) -> Question:
    """Parse the query string of a page.

    With ``name``, the page shows the queue with this name. Otherwise, it is page ``p`` of the queues whose
    names contain ``q``.
    """
    page = request.GET.get("p", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    client, text = queueing.get_client().reachable(), request.GET.get("q", "")
    return Question(client, request.GET.get("name"), text, max(0, number - 1) * page_size, page_size)


def as_row(figures: QueueFigures) -> Queue:
    """A ``Queue`` instance with these figures in its attribute ``figures``."""
    queue = Queue(name=figures.name)
    queue.figures = figures
    return queue


def with_rate(site: AdminSite, queue: Queue, rate: Rate) -> Queue:
    """Set the attributes of ``queue`` that the columns show: the rate and the links. Returns ``queue``.

    The curve of the last hour is set to an empty list.
    """
    queue.rate = rate
    queue.dead_letter_queue = queueing.get_client().dead_letter_queue(queue.name)
    queue.dead_url = address(site, "queue_change", queue.dead_letter_queue) if queue.figures.dead else ""
    queue.charts_url = address(site, "queue_charts", queue.name) if queue.name and is_text(queue.name) else ""
    queue.outflow = []
    return queue


def rows(site: AdminSite, snapshot: Snapshot) -> list[Queue]:
    found = [with_rate(site, as_row(one), snapshot.rates[one.name]) for one in snapshot.figures]
    names = {queue.name for queue in found}
    for queue in found:
        queue.depth = len(family(queue.name, names)) - 1
    return found


def is_text(name: str) -> bool:
    """Whether a URL can contain the name.

    Bytes that are not UTF-8 are decoded to lone surrogates, which a URL cannot contain.
    """
    return not re.search("[\ud800-\udfff]", name)


def _read_outflow(question: tuple[QueueClient, tuple[str, ...]]) -> dict[str, list[int | None]]:
    return read_outflow(*question)


#: The cached curves of queues. Each point is a whole minute, so curves that are 20 seconds old look the same.
outflows: SingleFlight[tuple[QueueClient, tuple[str, ...]], dict[str, list[int | None]]] = SingleFlight(
    _read_outflow, seconds=20, most=8
)


def outflow_of(client: QueueClient, names: Sequence[str]) -> dict[str, list[int | None]]:
    """For each queue, the number of messages that left it in each minute of the last hour, oldest first.

    A number is ``None`` if it is not known. The result is cached for some seconds. Raises
    ``QueueUnavailable``.
    """
    return outflows.get((client, tuple(names))).value


class QueueList(ChangeList):
    """A page of queues, sorted by name. While Redis is down, it is empty and ``unavailable`` is true."""

    unavailable = False
    trouble = ""
    alerts: tuple[Alert, ...] = ()

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """An empty queryset, because the database has no rows. Also marks the list as having no filters."""
        self.filter_specs: list[Any] = []
        self.has_filters = self.has_active_filters = False
        return self.root_queryset.none()

    def get_results(self, request: HttpRequest) -> None:
        """Read the queues of the current page, with their figures."""
        try:
            client = queueing.get_client().reachable()
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
        """The relative URL of the page of a queue, with the special characters of its name quoted.

        Raises ``NoReverseMatch`` if a URL cannot contain the name. Django then shows the row without a link.
        """
        if not is_text(result.name):
            raise NoReverseMatch
        return f"{urllib.parse.quote(admin_utils.quote(result.name))}/change/"
