"""The filters of the list of processed jobs. They only offer and mark; the search itself is one place.

The names that a column holds are found by hopping along its index, never by reading all rows.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing.models import END_CHOICES, Job
from queueing.templatetags.queueing_text import visible

#: Names that one filter offers.
NAMES_MAX = 50
#: Characters of a name that the sidebar shows.
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
    """The first different values of an indexed column of texts, the empty one left out."""
    connection = connections[Job.objects.db]
    quoted = connection.ops.quote_name(Job._meta.get_field(column).column)
    table = connection.ops.quote_name(Job._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(HOPS.format(column=quoted, table=table, limit=int(limit)), [""])
        return [name for (name,) in cursor.fetchall()]


class Offered(admin.SimpleListFilter):
    """A filter that offers values, and leaves the search to ``JobSearch``."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Unchanged."""
        return queryset


class StateFilter(Offered):
    """By the newest outcome."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        """All words."""
        return list(END_CHOICES)


class NameFilter(Offered):
    """By one of the names in a column: the first ones, and the chosen one."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The names."""
        names = set(names_in(self.parameter_name or ""))
        if chosen := self.value():
            names.add(chosen)
        return [(name, visible(name)[:NAME_SHOWN]) for name in sorted(names)]


class QueueFilter(NameFilter):
    """By queue."""

    title = gettext_lazy("queue")
    parameter_name = "queue"


class HandlerFilter(NameFilter):
    """By the code that ran."""

    title = gettext_lazy("task or handler")
    parameter_name = "handler"


class ExceptionFilter(NameFilter):
    """By what the newest attempt failed of."""

    title = gettext_lazy("exception")
    parameter_name = "exception"


class TimeFilter(admin.ListFilter):
    """By when a job finished: today, a period up to now, or from one moment to another."""

    title = gettext_lazy("time")
    template = "admin/queueing/job/time_filter.html"
    #: Themes of the admin ask every filter for one name.
    parameter_name = "period"
    names = ("period", "since", "until")
    periods = (
        ("hour", gettext_lazy("Past hour")),
        ("today", gettext_lazy("Today")),
        ("week", gettext_lazy("Past 7 days")),
    )

    def __init__(self, request: HttpRequest, params: dict[str, Any], *args: Any) -> None:
        super().__init__(request, params, *args)
        for name in self.names:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def has_output(self) -> bool:
        """Always."""
        return True

    def expected_parameters(self) -> list[str]:
        """Its parameters."""
        return list(self.names)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Unchanged."""
        return queryset

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Any time, the periods, and at last what the form of one's own needs."""
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
        yield {
            "is_form": True,
            "since": used.get("since", ""),
            "until": used.get("until", ""),
            "others": [pair for pair in changelist.params.items() if pair[0] not in self.names],
        }
