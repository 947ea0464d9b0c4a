"""Timetables of schedules: a cron expression in a time zone, or a fixed interval.

A tick is a time at which a schedule is due, in ms since 1970. It depends only on the timetable, so all
workers compute the same ticks.

Daylight saving time is handled as in Debian's cron. An expression with fixed hours and minutes (``30 2 * *
*``) runs once a day. If the clock skips its hour, it runs once in the first minute after the skipped hour,
even if it has several times in that hour. If the hour occurs twice, it runs only in the first one.

An expression runs at even intervals if its minute or hour begins with a star (``*/5 * * * *``), or if it has
a field for seconds. It does not run in a skipped hour, and it runs in both occurrences of a repeated hour.

On Lord Howe Island, where clocks change by half an hour, an expression may leave out ticks after the change.

An interval has no time zone and counts from 1970.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: A search for any tick of an expression starts at this fixed time, so that its result does not depend on the
#: clock.
_ANY_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
#: The longest time by which a zone has ever set its clocks back.
_SET_BACK_MS = 3 * 3_600_000
_INTERVAL = re.compile(r"every (\d{1,9}) s")
MAX_SECONDS = 999_999_999


class BadTimetable(ValueError):
    """The text is not a valid timetable. The error text gives the reason."""


class Timetable(Protocol):
    """The times of a schedule, which ``read`` makes from ``expression`` and ``time_zone``."""

    @property
    def expression(self) -> str: ...

    @property
    def time_zone(self) -> str:
        """The name of the time zone of ``expression``, ``""`` if ``expression`` does not depend on a zone."""

    def after(self, ms: int) -> int | None:
        """The first tick after ``ms``, ``None`` without a tick within fifty years."""

    def until(self, ms: int) -> Iterator[int]:
        """Yield the ticks up to and including ``ms``, the latest one first."""

    def moment(self, ms: int) -> datetime:
        """Convert ``ms`` since 1970 to an aware time in the time zone."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone: five fields, or six with seconds first."""

    expression: str
    time_zone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", _zone(self.time_zone))
        try:
            next(CronSim(self.expression, _ANY_MOMENT))
        except CronSimError as error:
            raise BadTimetable(
                f'"{self.expression}" is not a cron expression ({error}): '
                "write minute, hour, day of the month, month and day of the week."
            ) from None
        except StopIteration:
            raise BadTimetable(f'"{self.expression}" is never due.') from None

    def after(self, ms: int) -> int | None:
        ticks = (_ms(moment) for moment in CronSim(self.expression, self.moment(ms)))
        # In a repeated hour, cronsim begins with the first occurrence, which may be over.
        return next((tick for tick in ticks if tick > ms), None)

    def until(self, ms: int) -> Iterator[int]:
        # cronsim finds only ticks before the start of its search, and uses whole seconds. So start later.
        start_ms = ms // 1000 * 1000 + 1000
        if self.moment(start_ms).fold:
            start_ms += _SET_BACK_MS
        start = self.moment(start_ms)
        ticks = (_ms(moment) for moment in CronSim(self.expression, start, reverse=True))
        return (tick for tick in ticks if tick <= ms)

    def moment(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, self._zone)


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed interval in seconds, counted from 1970.

    For example, an interval of 30 s is due at :00 and :30 of each minute.
    """

    seconds: int

    def __post_init__(self) -> None:
        if type(self.seconds) is not int or not 1 <= self.seconds <= MAX_SECONDS:
            raise BadTimetable(f"An interval has whole seconds, 1 or more, not {self.seconds!r}.")

    @property
    def expression(self) -> str:
        return f"every {self.seconds} s"

    @property
    def time_zone(self) -> str:
        return ""

    def after(self, ms: int) -> int:
        step_ms = self.seconds * 1000
        return (ms // step_ms + 1) * step_ms

    def until(self, ms: int) -> Iterator[int]:
        step_ms = self.seconds * 1000
        return iter(range(ms // step_ms * step_ms, -1, -step_ms))

    def moment(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, UTC)


@cache
def read(expression: str, time_zone: str) -> Timetable:
    """Parse a timetable. Raises ``BadTimetable``."""
    interval = _INTERVAL.fullmatch(expression)
    return Interval(int(interval[1])) if interval else Cron(expression, time_zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadTimetable(
            f'There is no time zone "{name}": use a name such as Europe/Berlin or UTC.'
        ) from None


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
