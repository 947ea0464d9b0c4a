"""The list of processed jobs: Django's change list on top of ``JobSearch``.

The search uses no ``OFFSET``, and counts rows only up to a limit. Django's filters only offer values, and
``JobSearch`` applies the selected values. The distinct names of a column are read with an index skip scan, so
that not all rows are read. An open page polls for jobs that were processed after the page was loaded.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from queueing.admin.base import address
from queueing.broker import rsmq_values
from queueing.models import END_CHOICES, Job
from queueing.resilience.single_flight import SingleFlight
from queueing.templatetags.queueing_text import visible

from .criteria import Criteria
from .search import JobSearch, Place, searched_text

#: The query parameters for the position at which this page begins, and for the positions of previous pages.
#: Previous positions cannot be computed, because a search that ran out of time ends a page early.
BEFORE, WAY = "before", "way"
#: The maximum number of previous pages in ``way``, and the word for the first page, which has no position.
WAY_MAX, FIRST = 40, "0"


class JobList(ChangeList):
    """One page of search results.

    ``count`` is the ``Count`` of all matching rows. It is ``None`` if an index alone cannot count them.
    ``searched`` is the number of rows that were checked one by one. It is ``None`` if an index was enough.
    """

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Job]:
        """Set up the filters, and return all rows. ``get_results`` runs the search later."""
        self.before = Place.read(request.GET.get(BEFORE, ""))
        self.way = [
            place for place in request.GET.get(WAY, "").split() if place == FIRST or Place.read(place)
        ]
        for name in (BEFORE, WAY):
            self.filter_params.pop(name, None)
            self.params.pop(name, None)
        self.filter_specs, self.has_filters, left, _unused, self.has_active_filters = self.get_filters(
            request
        )
        if left:
            raise IncorrectLookupParameters
        self.clear_all_filters_qs = self.get_query_string(
            remove=[name for spec in self.filter_specs for name in spec.expected_parameters()]
        )
        return self.root_queryset

    def get_results(self, request: HttpRequest) -> None:
        self.criteria = Criteria.read(request.GET)
        search = JobSearch(self.criteria, self.root_queryset)
        found = search.find(self.before, limit=self.list_per_page)
        self.result_list = found.jobs
        self.searched, self.following = found.searched, found.following
        self.count = search.count()
        self.searched_text = searched_text(self.searched)
        self._satisfy_django()

    def _satisfy_django(self) -> None:
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.result_list)
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(None, self.result_list, self.list_per_page)

    @property
    def older(self) -> str:
        """The query string of the page with the next older jobs. Returns ``""`` on the last page."""
        if not self.following:
            return ""
        way = [*self.way, str(self.before or FIRST)][-WAY_MAX:]
        return self.get_query_string({BEFORE: str(self.following), WAY: " ".join(way)})

    @property
    def newer(self) -> str:
        """The query string of the page with the next newer jobs. Returns ``""`` on the first page.

        Also returns ``""`` if the URL of the current page does not contain the position of the newer page.
        """
        if not (self.before and self.way):
            return ""
        *way, before = self.way
        known = {BEFORE: "" if before == FIRST else before, WAY: " ".join(way)}
        return self.get_query_string({name: value for name, value in known.items() if value})

    @property
    def newest(self) -> str:
        return self.get_query_string()

    @property
    def whole_filter(self) -> str:
        """The query string that selects all jobs of the list, not only those on this page."""
        return self.criteria.query_string()


#: The maximum number of names that a filter offers.
NAMES_MAX = 50
#: The maximum characters of a name in the sidebar.
NAME_SHOWN = 60
HOPS = """
WITH RECURSIVE hop (name) AS (
    SELECT (SELECT {column} FROM {table} WHERE {column} > %s ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE {column} > hop.name ORDER BY {column} LIMIT 1)
    FROM hop WHERE hop.name IS NOT NULL
)
SELECT name FROM hop WHERE name IS NOT NULL LIMIT {limit}
"""


def names_in(column: str, limit: int = NAMES_MAX) -> list[str]:
    """Up to ``limit`` distinct values of an indexed text column, in sort order, without the empty string."""
    connection = connections[Job.objects.db]
    quoted = connection.ops.quote_name(Job._meta.get_field(column).column)
    table = connection.ops.quote_name(Job._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(HOPS.format(column=quoted, table=table, limit=int(limit)), [""])
        return [name for (name,) in cursor.fetchall()]


class Offered(admin.SimpleListFilter):
    """A filter that only offers values. ``JobSearch`` applies the selected value."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset


class StateFilter(Offered):
    """The filter by state: the outcome of the newest attempt."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return list(END_CHOICES)


class NameFilter(Offered):
    """A filter by a column of names. It offers the first names in sort order, and the selected name."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        names = set(names_in(self.parameter_name or ""))
        if chosen := self.value():
            names.add(chosen)
        return [(name, visible(name)[:NAME_SHOWN]) for name in sorted(names)]


class QueueFilter(NameFilter):
    title = gettext_lazy("queue")
    parameter_name = "queue"


class HandlerFilter(NameFilter):
    title = gettext_lazy("task or handler")
    parameter_name = "handler"


class ExceptionFilter(NameFilter):
    title = gettext_lazy("exception")
    parameter_name = "exception"


class TimeFilter(admin.ListFilter):
    """The filter by finish time: any time, a period until now, or the times between two bounds."""

    title = gettext_lazy("time")
    template = "admin/queueing/job/time_filter.html"
    #: Admin themes expect that each filter has a single parameter name.
    parameter_name = "period"
    names = ("period", "since", "until")
    periods = (
        ("hour", gettext_lazy("Last hour")),
        ("today", gettext_lazy("Today")),
        ("week", gettext_lazy("Last 7 days")),
    )

    def __init__(self, request: HttpRequest, params: dict[str, Any], *args: Any) -> None:
        super().__init__(request, params, *args)
        for name in self.names:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:
        return list(self.names)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """The links for any time and for each period, and the form for ``since`` and ``until``."""
        period, used = self.used_parameters.get("period"), self.used_parameters
        yield {
            "selected": not used,
            "query_string": changelist.get_query_string(remove=list(self.names)),
            "display": _("Any time"),
        }
        for word, label in self.periods:
            yield {
                "selected": period == word,
                "query_string": changelist.get_query_string({"period": word}, remove=list(self.names)),
                "display": label,
            }
        bounds = Criteria.read({name: used.get(name, "") for name in ("since", "until")})
        yield {
            "is_form": True,
            "since": _field_value(bounds.since),
            "until": _field_value(bounds.until),
            "others": [pair for pair in changelist.params.items() if pair[0] not in self.names],
        }


def _field_value(at: datetime | None) -> str:
    """A time as the value of a ``datetime-local`` field, in the current time zone. ``""`` for ``None``."""
    if at is None:
        return ""
    precision = "milliseconds" if at.microsecond else "seconds" if at.second else "minutes"
    return timezone.localtime(at).replace(tzinfo=None).isoformat(timespec=precision)


#: New jobs are counted up to this number.
COUNTED_MAX = 100
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _newest_moments(count: int) -> list[int]:
    """The finish times of the ``count`` newest jobs, in µs since 1970."""
    newest = Job.objects.order_by("-finished_at", "-id").values_list("finished_at", flat=True)
    return [(at - EPOCH) // MICROSECOND for at in newest[:count]]


newest: SingleFlight[int, list[int]] = SingleFlight(_newest_moments, most=1)


def live_url(site: AdminSite) -> str:
    """The URL that an open page polls for new jobs.

    Its parameter ``since`` is the finish time of the newest job.
    """
    since = next(iter(_newest_moments(1)), 0)
    return f"{address(site, 'job_live')}?{urlencode({'since': since})}"


def news(since: str) -> dict[str, Any]:
    """The template context about jobs that finished after ``since`` (µs since 1970).

    ``news`` is a sentence with the number of these jobs, ``""`` if there are none. All polls share cached
    finish times, and ``age_seconds`` is the age of this cache.
    """
    reading = newest.get(COUNTED_MAX + 1)
    count = sum(finished > (rsmq_values.parse_int(since) or 0) for finished in reading.value)
    return {"age_seconds": reading.age_seconds, "news": _news_sentence(count) if count else ""}


def _news_sentence(count: int) -> str:
    number = f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count)
    return ngettext("%s new job was processed.", "%s new jobs were processed.", count) % number
