"""Finding processed jobs among a million: by what is indexed, and for the rest by a bounded look.

The order is always the same, newest first, and a page begins at a place in it and not at a number,
so the thousandth page costs what the first one does. One condition is looked up in an index. What no
index answers (a second condition, a text) is looked for in steps along the index of the first, until
the page is full or the time is up; how far it came is said, and the search goes on from there.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connections
from django.db.models import Max, Min, Q, QuerySet
from django.utils.translation import gettext

from ..models import Job
from ..redaction import redacted
from .job_criteria import Criteria

#: Rows per step of a search, and of one that reads payloads.
STEP, TEXT_STEP = 1000, 200
#: Seconds that one search may take.
BUDGET_SECONDS = 0.15
#: Rows beyond which nobody counts exactly.
COUNT_MAX = 10_000
#: Rows with the same beginning of an id that are looked at.
BEGINNINGS_MAX = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order: whatever is ``before`` it there is newer."""

    finished_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.finished_at - EPOCH) // timedelta(microseconds=1)}-{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """The place that ``str`` wrote, ``None`` for anything else."""
        us, _, id = text.partition("-")
        try:
            return cls(EPOCH + timedelta(microseconds=int(us)), min(int(id), 2**63 - 1))
        except (ValueError, OverflowError):
            return None

    @classmethod
    def of(cls, job: Job) -> "Place":
        """Where ``job`` stands."""
        return cls(job.finished_at, job.pk)


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the rows that were sought. ``following`` is where the search goes on, ``None`` at its end.

    ``searched`` is how many rows were looked at, ``None`` where an index knew the answer.
    """

    jobs: list[Job]
    following: Place | None
    searched: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are: exactly, or at least."""

    number: int
    is_exact: bool

    def __str__(self) -> str:
        number = f"{self.number:,}"
        return number if self.is_exact else gettext("more than %(number)s") % {"number": number}


class JobSearch:
    """The rows that meet ``criteria``, page by page; ``columns`` prepares the query of what is shown."""

    def __init__(self, criteria: Criteria, rows: QuerySet[Job] | None = None) -> None:
        self.criteria = criteria
        self.rows = Job.objects.all() if rows is None else rows
        self.index, self.rest, self.text = _plan(criteria)

    @property
    def is_indexed(self) -> bool:
        """Whether an index answers it alone."""
        return not self.rest and not self.text

    def find(self, before: Place | None, *, limit: int, budget_seconds: float | None = None) -> Found:
        """Up to ``limit`` rows from ``before`` on, newest first; fewer where the time was up."""
        if self.is_indexed:
            jobs = list(self._along(before)[: limit + 1])
            more = Place.of(jobs[limit - 1]) if len(jobs) > limit else None
            return Found(jobs[:limit], more)
        seconds = BUDGET_SECONDS if budget_seconds is None else budget_seconds
        return self._look(before, limit, time.monotonic() + seconds)

    def count(self) -> Count | None:
        """How many there are, at least ``COUNT_MAX``; ``None`` where only a search could tell."""
        if not self.is_indexed:
            return None
        number = self.index_rows().values("pk").order_by()[: COUNT_MAX + 1].count()
        return Count(min(number, COUNT_MAX), number <= COUNT_MAX)

    def index_rows(self) -> QuerySet[Job]:
        """The rows of the index that is walked along."""
        return Job.objects.filter(self.index)

    # --- inside --------------------------------------------------------------------------------

    def _along(self, before: Place | None) -> QuerySet[Job]:
        """The rows of the index from a place on."""
        rows = self.rows.filter(self.index).order_by("-finished_at", "-pk")
        if before:
            at = before.finished_at
            rows = rows.filter(Q(finished_at__lt=at) | Q(pk__lt=before.id), finished_at__lte=at)
        return rows

    def _look(self, before: Place | None, limit: int, give_up: float) -> Found:
        found: list[Job] = []
        searched = 0
        size = TEXT_STEP if self.text else STEP
        while True:
            step = self._along(before).values_list("finished_at", "pk")[:size]
            places = [Place(*values) for values in step]
            for job in self._matching([place.id for place in places]):
                if len(found) == limit:
                    full = Place.of(found[-1])
                    passed = places.index(full) + 1 if full in places else 0
                    return Found(found, full, searched + passed)
                found.append(job)
            searched += len(places)
            if len(places) < size:
                return Found(found, None, searched)
            before = places[-1]
            if time.monotonic() > give_up:
                return Found(found, before, searched)

    def _matching(self, keys: list[int]) -> Iterator[Job]:
        """Those of the rows with these keys that meet what no index answers, newest first."""
        rows = self.rows.filter(pk__in=keys).filter(self.rest).order_by("-finished_at", "-pk")
        if not self.text:
            yield from rows
            return
        term = self.criteria.term
        plain = Job.objects.filter(pk__in=keys).filter(self.rest)
        found = set(plain.filter(error__icontains=term).values_list("pk", flat=True))
        # What is struck out must not be found either: a search would tell what it is.
        for pk, body in plain.filter(body__icontains=term).values_list("pk", "body"):
            if pk not in found and term.lower() in redacted(body).lower():
                found.add(pk)
        if found:
            yield from rows.filter(pk__in=found)


def _plan(criteria: Criteria) -> tuple[Q, Q, bool]:
    """What is asked of an index, what of each row, and whether the texts of the rows are read."""
    index = Q()
    if criteria.since:
        index &= Q(finished_at__gte=criteria.since)
    if criteria.until:
        index &= Q(finished_at__lt=criteria.until)
    if criteria.ids:
        index &= Q(pk__in=criteria.ids)
    by_id = _by_message_id(criteria.term)
    if by_id is not None:
        index &= by_id
    conditions = [Q(**{name: value}) for name, value in criteria.equal()]
    if by_id is None and not criteria.ids and conditions:
        index &= conditions.pop(0)
        if criteria.exception and criteria.handler:
            index &= conditions.pop(conditions.index(Q(handler=criteria.handler)))
    rest = Q()
    for condition in conditions:
        rest &= condition
    return index, rest, bool(criteria.term) and by_id is None


def _by_message_id(term: str) -> Q | None:
    """The rows whose message id is ``term`` or begins with it, ``None`` where it is none of an id."""
    if not Criteria.may_be_id(term):
        return None
    beginning = Q(message_id__startswith=term)
    if _compares_bytes():
        # It looks up a beginning by its bounds; others have an index for beginnings.
        beginning &= Q(message_id__gte=term, message_id__lt=f"{term}\U0010ffff")
    rows = Job.objects.filter(beginning)
    ids = list(rows.order_by().values_list("pk", flat=True)[:BEGINNINGS_MAX])
    return Q(pk__in=ids) if ids else None


def _compares_bytes() -> bool:

    return connections[Job.objects.db].vendor == "sqlite"


def rows_in_all() -> int:
    """About how many rows the history has: the span of its keys, which are given out in order."""
    span = Job.objects.aggregate(first=Min("pk"), last=Max("pk"))
    return span["last"] - span["first"] + 1 if span["last"] else 0
