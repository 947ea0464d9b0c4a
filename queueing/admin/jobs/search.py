"""The search for processed jobs in a table of millions of rows.

The order is always newest first. A page begins after a row and not at an offset (keyset pagination), so the
thousandth page costs as much as the first page. One condition uses an index. The other conditions, including
a search for text, are checked row by row in the order of that index. This is done in steps, until the page is
full or the time is up. The page then reports how many rows were searched, and the search can be continued.
Only the beginning of a long text is searched.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import connections
from django.db.models import BooleanField, Case, ExpressionWrapper, Max, Min, Q, QuerySet, When
from django.db.models.functions import Left
from django.utils.translation import gettext

from queueing.models import Job
from queueing.text.humanize import whole
from queueing.text.redaction import redacted, struck

from .criteria import Criteria

#: The rows per step of a search. A step that reads payloads has fewer rows.
STEP, TEXT_STEP = 1000, 200
#: The maximum seconds of one search.
BUDGET_SECONDS = 0.1
#: The characters at the beginning of a payload or an error that are searched. The history keeps this many
#: characters of a message that is not a task.
SEARCHED_CHARACTERS = 16_384
#: Matching rows are counted exactly up to this number.
COUNT_MAX = 10_000
#: The maximum number of rows that a search for the beginning of a message id finds.
BEGINNINGS_MAX = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a row in the order of the search, which is newest first."""

    finished_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.finished_at - EPOCH) // timedelta(microseconds=1)}-{self.id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """Parse the text that ``str`` returns for a position. Returns ``None`` for any other text."""
        us, _, id = text.partition("-")
        try:
            return cls(EPOCH + timedelta(microseconds=int(us)), min(int(id), 2**63 - 1))
        except (ValueError, OverflowError):
            return None

    @classmethod
    def of(cls, job: Job) -> "Place":
        return cls(job.finished_at, job.pk)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of matching rows.

    ``following`` is the position from which the search can be continued, ``None`` if all rows were searched.
    ``searched`` is the number of rows that were checked one by one, ``None`` if an index was enough.
    """

    jobs: list[Job]
    following: Place | None
    searched: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """A number of matching rows. It is exact or a lower bound.

    ``searched`` is the number of rows that were checked one by one, ``None`` if an index was enough.
    """

    number: int
    is_exact: bool
    searched: int | None = None

    def __str__(self) -> str:
        number = f"{self.number:,}"
        if not self.number and not self.is_exact:
            return gettext("an unknown number of")
        if self.is_exact:
            return number
        text = gettext("more than %(number)s") if self.searched is None else gettext("at least %(number)s")
        return text % {"number": number}


class JobSearch:
    """A search for the jobs that meet ``criteria``, page by page.

    ``rows`` is the queryset that loads the jobs that were found. It can defer columns.
    """

    def __init__(self, criteria: Criteria, rows: QuerySet[Job] | None = None) -> None:
        self.criteria = criteria
        self.rows = Job.objects.all() if rows is None else rows
        self.index, self.rest, self.text = _plan(criteria)

    @property
    def is_indexed(self) -> bool:
        """Whether an index answers the whole search, so that rows need not be checked one by one."""
        return not self.rest and not self.text

    def find(self, before: Place | None, *, limit: int, budget_seconds: float | None = None) -> Found:
        """Find up to ``limit`` matching rows that are older than ``before``, newest first.

        Without ``before``, the search begins at the newest row. If rows must be checked one by one, the
        search stops after ``budget_seconds`` and may return fewer rows.
        """
        if self.is_indexed:
            jobs = list(self._along(before)[: limit + 1])
            more = Place.of(jobs[limit - 1]) if len(jobs) > limit else None
            return Found(jobs[:limit], more)
        looked = self._look(before, limit, BUDGET_SECONDS if budget_seconds is None else budget_seconds)
        keys = [place.id for place in looked.places]
        jobs = list(self.rows.filter(pk__in=keys).order_by("-finished_at", "-pk")) if keys else []
        return Found(jobs, looked.following, looked.searched)

    def count(self) -> Count | None:
        """Count the matching rows, up to ``COUNT_MAX``. Returns ``None`` if no index can count them."""
        if not self.is_indexed:
            return None
        number = self.index_rows().values("pk").order_by()[: COUNT_MAX + 1].count()
        return Count(min(number, COUNT_MAX), number <= COUNT_MAX)

    def count_on(self, found: Found, *, budget_seconds: float) -> Count:
        """Count the rows in ``found`` and the matching rows that follow.

        Counting stops after ``budget_seconds`` or ``COUNT_MAX`` more rows. The result is then a lower bound.
        """
        if found.following is None:
            return Count(len(found.jobs), True, found.searched)
        looked = self._look(found.following, COUNT_MAX, budget_seconds)
        number, searched = len(found.jobs) + len(looked.places), (found.searched or 0) + looked.searched
        return Count(number, looked.following is None, searched)

    def index_rows(self) -> QuerySet[Job]:
        """The rows that meet the conditions for which an index is used. Other conditions are not applied."""
        return Job.objects.filter(self.index)

    # --- inside --------------------------------------------------------------------------------

    def _along(self, before: Place | None, rows: QuerySet[Job] | None = None) -> QuerySet[Job]:
        """The rows after ``before`` that meet the conditions for which an index is used, newest first.

        They are selected from the queryset ``rows``, by default the queryset of the search.
        """
        rows = (self.rows if rows is None else rows).filter(self.index).order_by("-finished_at", "-pk")
        if before:
            at = before.finished_at
            rows = rows.filter(Q(finished_at__lt=at) | Q(pk__lt=before.id), finished_at__lte=at)
        return rows

    def _look(self, before: Place | None, limit: int, seconds: float) -> "_Looked":
        """Check rows in steps, with one query per step. Only the positions of the matching rows are kept.

        Stops when more than ``limit`` rows match, or after ``seconds``.
        """
        give_up = time.monotonic() + seconds
        found: list[Place] = []
        searched = 0
        size = TEXT_STEP if self.text else STEP
        while True:
            passed = 0
            for place, is_sought in self._step(before, size):
                if is_sought():
                    if len(found) == limit:
                        return _Looked(found, before, searched + passed)
                    found.append(place)
                before = place
                passed += 1
            searched += passed
            if passed < size:
                return _Looked(found, None, searched)
            if time.monotonic() > give_up:
                return _Looked(found, before, searched)

    def _step(self, before: Place | None, size: int) -> Iterator[tuple[Place, Callable[[], bool]]]:
        """The positions of the next ``size`` rows, each with a function that checks if the row matches."""
        rows = self._along(before, Job.objects.all())
        if not self.text:
            rows = rows.annotate(is_sought=_whether(self.rest))
            for *place, is_sought in rows.values_list("finished_at", "pk", "is_sought")[:size]:
                yield Place(*place), partial(bool, is_sought)
            return
        rows = rows.annotate(
            error_start=Left("error", SEARCHED_CHARACTERS), body_start=Left("body", SEARCHED_CHARACTERS)
        )
        term = self.criteria.term
        rows = rows.annotate(
            found_error=Case(When(self.rest & Q(error_start__icontains=term), then="error_start")),
            found_in=Case(When(self.rest & Q(body_start__icontains=term), then="body_start")),
        )
        for *place, error, body in rows.values_list("finished_at", "pk", "found_error", "found_in")[:size]:
            yield Place(*place), partial(self._is_in, error, body)

    def _is_in(self, error: str | None, body: str | None) -> bool:
        """Whether ``error`` or ``body`` contains the term after secrets are masked.

        Without masking, a search could be used to guess secrets.
        """
        term = self.criteria.term.lower()
        if error is not None and term in struck(error).lower():
            return True
        return body is not None and term in redacted(body).lower()


@dataclass(frozen=True, slots=True)
class _Looked:
    """The result of ``JobSearch._look``.

    ``places`` are the positions of the matching rows. ``following`` is the position from which to continue,
    ``None`` if all rows were checked. ``searched`` is the number of checked rows.
    """

    places: list[Place]
    following: Place | None
    searched: int


def _whether(condition: Q) -> ExpressionWrapper:
    return ExpressionWrapper(condition, output_field=BooleanField())


def _plan(criteria: Criteria) -> tuple[Q, Q, bool]:
    """Split ``criteria`` into a condition for an index, and a condition that is checked row by row.

    The third value is true if the error and the payload of each row must be searched for the term.
    """
    index = Q()
    if criteria.since:
        index &= Q(finished_at__gte=criteria.since)
    if criteria.until:
        index &= Q(finished_at__lt=criteria.until)
    if criteria.ids is not None:
        index &= Q(pk__in=criteria.ids)
    by_id = _by_message_id(criteria.term)
    if by_id is not None:
        index &= by_id
    conditions = [Q(**{name: value}) for name, value in criteria.equal()]
    if by_id is None and criteria.ids is None and conditions:
        index &= conditions.pop(0)
        if criteria.exception and criteria.handler:
            index &= conditions.pop(conditions.index(Q(handler=criteria.handler)))
    rest = Q()
    for condition in conditions:
        rest &= condition
    return index, rest, bool(criteria.term) and by_id is None


def _by_message_id(term: str) -> Q | None:
    """The condition that selects the rows whose message id begins with ``term``.

    Returns ``None`` if ``term`` cannot be the beginning of a message id, or if no row has such an id.
    """
    if not Criteria.may_be_id(term):
        return None
    beginning = Q(message_id__startswith=term)
    if _compares_bytes():
        # SQLite uses the index only with bounds. Other databases have an index for searches by prefix.
        beginning &= Q(message_id__gte=term, message_id__lt=f"{term}\U0010ffff")
    rows = Job.objects.filter(beginning)
    ids = list(rows.order_by().values_list("pk", flat=True)[:BEGINNINGS_MAX])
    return Q(pk__in=ids) if ids else None


def _compares_bytes() -> bool:

    return connections[Job.objects.db].vendor == "sqlite"


def searched_text(searched: int | None) -> str:
    """A sentence with the number of rows that were searched, ``""`` if an index was enough."""
    if searched is None:
        return ""
    numbers = {"searched": whole(searched), "in_all": whole(rows_in_all())}
    return gettext("Searched %(searched)s of about %(in_all)s jobs.") % numbers


def rows_in_all() -> int:
    """The approximate number of rows in the table, computed from the lowest and the highest primary key."""
    # Two queries: SQLite reads one end of an index quickly, but for both ends it reads the whole index.
    first, last = (Job.objects.aggregate(key=end("pk"))["key"] for end in (Min, Max))
    return last - first + 1 if last else 0
