"""The list of processed jobs as CSV.

The file is streamed, has a maximum number of rows, and contains no spreadsheet formulas.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from django.db.models.functions import Left
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from queueing.models import Job
from queueing.templatetags.queueing_text import visible
from queueing.text.redaction import struck

from .criteria import Criteria
from .search import JobSearch, Place

#: The maximum rows of a file, the rows per query, and the maximum seconds of one step of a search.
ROWS_MAX, CHUNK, STEP_SECONDS = 100_000, 1000, 1.0
#: The maximum number of rows that a search without an index reads.
SEARCHED_MAX = 1_000_000
#: The maximum characters of an error. The recorder keeps fewer.
ERROR_MAX = 4_000
COLUMNS = (
    *("message_id", "queue", "handler", "state", "attempts", "crashes", "sent_at", "started_at"),
    *("finished_at", "wait_ms", "run_ms", "worker", "exception", "error"),
)
#: Spreadsheets treat a cell as a formula if it begins with one of these characters, or with a full-width or
#: small form of such a character.
FORMULA = frozenset("=+-@|%\N{MINUS SIGN}")
#: Matches the first character of a cell, and the first character after each ``;``, because spreadsheets in
#: many languages split cells at ``;``.
_FIRST = re.compile(r"""(\A|;)([\s"']*)([^\s"';])""")


def export(criteria: Criteria) -> StreamingHttpResponse:
    """The jobs that meet ``criteria`` as CSV, newest first.

    If the file does not contain all matching jobs, its last line reports this.
    """
    # Read the viewer's time zone now. The lines are made while the response is sent, and the time zone may
    # not be active any more then.
    zone = timezone.get_current_timezone()
    response = StreamingHttpResponse(_lines(criteria, zone), content_type="text/csv; charset=utf-8")
    name = datetime.now(zone).strftime("jobs-%Y%m%d-%H%M%S.csv")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def cell(value: Any, zone: tzinfo | None = None) -> str:
    """The text of a cell for ``value``, in one line.

    Times are in the time zone ``zone``. Invisible characters are escaped, and formulas become plain text.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timezone.localtime(value, zone).isoformat()
    if isinstance(value, int | float):
        return str(value)
    text = visible(value).replace("\n", "\\n").replace("\t", "\\t")
    return _FIRST.sub(_inert, text)


def _inert(first: re.Match[str]) -> str:
    before, blanks, character = first.groups()
    is_formula = not FORMULA.isdisjoint(unicodedata.normalize("NFKC", character))
    return f"{before}'{blanks}{character}" if is_formula else first[0]


class _Line:
    """A file object for ``csv.writer``. Its ``write`` returns the line, so ``writerow`` returns it, too."""

    def write(self, line: str) -> str:
        return line


def _lines(criteria: Criteria, zone: tzinfo) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    rows = Job.objects.only("finished_at", *COLUMNS).defer("error")
    search = JobSearch(criteria, rows.annotate(error_start=Left("error", ERROR_MAX)))
    place: Place | None = None
    written = searched = 0
    while True:
        limit = min(CHUNK, ROWS_MAX - written)
        found = search.find(place, limit=limit, budget_seconds=STEP_SECONDS)
        for job in found.jobs:
            job.error = struck(job.error_start)
            yield writer.writerow([cell(getattr(job, column), zone) for column in COLUMNS])
        written, searched, place = (
            written + len(found.jobs),
            searched + (found.searched or 0),
            found.following,
        )
        if place is None:
            return
        if written >= ROWS_MAX or searched >= SEARCHED_MAX:
            text = _("There are more rows: this file ends after %(written)s.") % {"written": written}
            yield writer.writerow([text])
            return
