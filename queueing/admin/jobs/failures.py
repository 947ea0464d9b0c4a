"""Failed attempts grouped by exception and handler: how often, since when, and an example.

A failed attempt counts even if a later attempt of the job succeeded. At most the newest ``COUNTED_MAX``
attempts of a period are counted, by reading only an index. The page reports if there are more attempts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Min
from django.db.models.functions import Left
from django.utils.translation import gettext_lazy

from queueing.models import Attempt

from .criteria import PERIODS

#: The maximum number of failed attempts that are counted, and of groups that are shown.
COUNTED_MAX, GROUPS_MAX = 50_000, 100
#: The maximum characters of an example.
EXAMPLE_SHOWN = 300
LABELS = {
    "hour": gettext_lazy("Last hour"),
    "day": gettext_lazy("Last day"),
    "week": gettext_lazy("Last week"),
    "month": gettext_lazy("Last month"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One group of failed attempts. ``example`` is the newest error text, from the job ``job_id``."""

    exception: str
    handler: str
    count: int
    first_at: datetime
    last_at: datetime
    example: str
    job_id: int | None
    message_id: str

    @property
    def query_string(self) -> str:
        """The query string that selects the jobs of this group."""
        given = {"exception": self.exception, "handler": self.handler}
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Failures:
    """The groups of failed attempts in a period, most frequent first.

    ``counted`` is the number of attempts that were counted. ``is_all`` is false if there are more.
    """

    period: str
    since: datetime
    groups: list[Failure]
    counted: int
    is_all: bool
    has_more_groups: bool


def failures(period: str) -> Failures:
    """The failures of the last ``hour``, ``day``, ``week`` or ``month``. Other periods mean the last day."""
    period = period if period in PERIODS else "day"
    since = datetime.now(UTC) - PERIODS[period]
    newest = Attempt.objects.filter(exception__isnull=False, finished_at__gte=since)
    newest = newest.order_by("-finished_at", "-pk").values("pk", "exception", "handler", "finished_at")
    counted = newest[: COUNTED_MAX + 1].count()
    edge = newest[COUNTED_MAX - 1]["finished_at"] if counted > COUNTED_MAX else since
    rows = list(_grouped(edge)[: GROUPS_MAX + 1])
    examples = _examples([row["example_id"] for row in rows[:GROUPS_MAX]])
    return Failures(
        period=period,
        since=edge,
        groups=[_failure(row, examples.get(row["example_id"])) for row in rows[:GROUPS_MAX]],
        counted=min(counted, COUNTED_MAX),
        is_all=counted <= COUNTED_MAX,
        has_more_groups=len(rows) > GROUPS_MAX,
    )


def _grouped(since: datetime) -> Any:
    failed = Attempt.objects.filter(exception__isnull=False, finished_at__gte=since).order_by()
    groups = failed.values("exception", "handler").annotate(
        count=Count("pk"), first_at=Min("finished_at"), last_at=Max("finished_at"), example_id=Max("pk")
    )
    return groups.order_by("-count", "exception", "handler")


def _examples(ids: list[int]) -> dict[int, Any]:
    rows = Attempt.objects.filter(pk__in=ids).annotate(example=Left("error", EXAMPLE_SHOWN))
    return {row["pk"]: row for row in rows.values("pk", "example", "job_id", "job__message_id")}


def _failure(row: dict[str, Any], example: dict[str, Any] | None) -> Failure:
    return Failure(
        exception=row["exception"],
        handler=row["handler"],
        count=row["count"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        example=example["example"] if example else "",
        job_id=example["job_id"] if example else None,
        message_id=example["job__message_id"] if example else "",
    )
