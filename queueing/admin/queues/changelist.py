"""The list of queues: one page of names, and figures for those on it only."""

import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

import django.contrib.admin.utils as admin_utils
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import InvalidPage
from django.http import HttpRequest
from django.urls import NoReverseMatch

import queueing
from queueing.admin.database_away import unavailable
from queueing.client import QueueClient
from queueing.exceptions import QueueUnavailable
from queueing.messages import QueueFigures
from queueing.models import Queue
from queueing.monitoring.alerts import Alert
from queueing.monitoring.series import outflow
from queueing.resilience.single_flight import Shared

from .live import take


def as_row(figures: QueueFigures) -> Queue:
    """The model's instance of a queue, with its figures as ``.figures``."""
    queue = Queue(name=figures.name)
    queue.figures = figures
    return queue


def is_text(name: str) -> bool:
    """Whether a name can stand in an address: bytes that are no UTF-8 come as lone surrogates."""
    return not re.search("[\ud800-\udfff]", name)


def _read_outflow(question: tuple[QueueClient, tuple[str, ...]]) -> dict[str, list[int | None]]:
    return outflow(*question)


#: The curves are of whole minutes: one this old shows the same.
_outflows: Shared[tuple[QueueClient, tuple[str, ...]], dict[str, list[int | None]]] = Shared(
    _read_outflow, seconds=20, most=8
)


def outflow_of(client: QueueClient, names: Sequence[str]) -> dict[str, list[int | None]]:
    """What ``metrics.outflow`` has said of these queues in the last seconds. Raises ``QueueUnavailable``."""
    return _outflows.get((client, tuple(names))).value


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
            self._take_page(request, sorted(filter(self._is_sought, client.list_queues())))
            snapshot = take(client, self.result_list)
            outflow = outflow_of(client, self.result_list)
        except QueueUnavailable as error:
            self.unavailable, self.trouble = True, unavailable(error)["trouble"]
            self._take_page(request, [])
            return
        self.alerts = tuple(snapshot.alerts)
        self.result_list = self.model_admin.rows(snapshot)
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

        Raises ``NoReverseMatch``, which leaves the link out, where the name is no text.
        """
        if not is_text(result.name):
            raise NoReverseMatch
        return f"{urllib.parse.quote(admin_utils.quote(result.name))}/change/"
