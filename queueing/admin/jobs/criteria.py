"""The criteria of a search for processed jobs, read from a query string. Invalid values are ignored."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from queueing.admin.long_actions import read_ids
from queueing.broker.outcomes import State

#: The parameters that filter by one exact value. Each is named after the column that must have this value.
EQUAL = ("exception", "state", "handler", "queue")
PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
TEXT_MAX, TERM_MAX = 255, 200
#: Matches a message id, or its beginning of at least eight characters. The help text of the search names this
#: minimum. The first ten characters of an id encode the time of sending.
ID_BEGINNING = re.compile(r"[a-zA-Z0-9:]{8,64}")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Criteria:
    """The conditions that a job must meet. A field with its default value adds no condition.

    The finish time must be ``since`` or later, and before ``until``. ``term`` is a message id, the beginning
    of a message id, or a text in the payload or the error. ``ids`` are primary keys: with an empty tuple,
    no job matches.
    """

    queue: str = ""
    state: str = ""
    handler: str = ""
    exception: str = ""
    since: datetime | None = None
    until: datetime | None = None
    term: str = ""
    ids: tuple[int, ...] | None = None

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "Criteria":
        """Read the criteria from a query string. Unknown parameters are ignored.

        Invalid keys in ``ids`` are left out. If no valid key remains, no job matches.
        """
        equal = {name: _text(params.get(name, ""), TEXT_MAX) for name in EQUAL}
        since, until = _moment(params.get("since", "")), _moment(params.get("until", ""), is_end=True)
        return cls(
            **equal,
            since=_period(params.get("period", "")) or since,
            until=until,
            term=_text(params.get("q", ""), TERM_MAX).strip(),
            ids=read_ids(params["ids"]) if "ids" in params else None,
        )

    @classmethod
    def not_understood(cls, params: Mapping[str, str]) -> list[str]:
        """The names of the parameters that ``read`` ignores completely or in part.

        An action refuses a query string with such parameters. Otherwise a condition would be missing, and
        the action would change more jobs than the user has selected.
        """
        taken = cls.read(params).params()
        return [name for name, value in params.items() if not _is_taken(name, value, taken)]

    def params(self) -> dict[str, str]:
        """The criteria as query parameters.

        The parameter ``period`` is replaced by ``since``, the time at which the period began.
        """
        return {_NAMES.get(name, name): text for name, text in self._texts() if text is not None}

    def query_string(self) -> str:
        return urlencode(self.params())

    def equal(self) -> list[tuple[str, str]]:
        """The columns that must have one exact value, as pairs of column and value.

        The state ``done`` comes last, because it probably matches the most rows.
        """
        found = [(name, getattr(self, name)) for name in EQUAL if getattr(self, name)]
        return sorted(found, key=lambda pair: pair == ("state", State.DONE))

    @staticmethod
    def may_be_id(term: str) -> bool:
        """Whether ``term`` has the form of a message id, or of the beginning of a message id."""
        return ID_BEGINNING.fullmatch(term) is not None

    def _texts(self) -> Iterator[tuple[str, str | None]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, datetime):
                yield field.name, value.astimezone(UTC).isoformat()
            elif isinstance(value, tuple):
                yield field.name, ",".join(map(str, value))
            else:
                yield field.name, value or None


_NAMES = {"term": "q"}


def _is_taken(name: str, value: str, taken: Mapping[str, str]) -> bool:
    """Whether ``Criteria.read`` has used the whole ``value`` of the parameter ``name``.

    ``taken`` is the result of ``Criteria.params`` for the criteria that ``Criteria.read`` returned.
    """
    if name in ("since", "until"):
        return not value or name in taken
    if name == "period":
        return not value or _period(value) is not None
    if name == "ids":
        return bool(value) and taken[name] == value
    if name == "q":
        value = value.strip()
    return name in (*EQUAL, "q") and taken.get(name, "") == value


def _text(value: str, length: int) -> str:
    """Cut a text to ``length``, and remove NUL and lone surrogates, which a database may refuse."""
    return value.replace("\0", "").encode("utf-8", "ignore").decode()[:length]


def _period(word: str) -> datetime | None:
    now = datetime.now(timezone.get_current_timezone())
    if word == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now - PERIODS[word] if word in PERIODS else None


def _moment(value: str, *, is_end: bool = False) -> datetime | None:
    """Parse a time. Returns ``None`` if ``value`` is not a time.

    A date without a time means the beginning of that day or, with ``is_end``, the end of that day.
    """
    try:
        day = parse_date(value)
        at = datetime(day.year, day.month, day.day) if day else parse_datetime(value)
        if at is None:
            return None
        at += timedelta(days=1) if day and is_end else timedelta()
        at = at if timezone.is_aware(at) else timezone.make_aware(at)
        return max(EARLIEST, min(at, LATEST))
    except (ValueError, OverflowError):
        return None
