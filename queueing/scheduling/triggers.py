"""When a schedule is due: cron text in a time zone, or every so many seconds.

A tick is a moment in whole ms of the epoch, computed from the schedule and the time alone, so all
workers find the same ones.

Around a change of the clocks it is as in Debian's cron. Cron text that names its hours and minutes
(``30 2 * * *``) runs once a day: where the hour is left out, at the first minute after it; where it
comes twice, the first time. Text whose minute or hour begins with a star (``*/5 * * * *``), or that has
a field for seconds, goes on evenly: nothing in an hour that is left out, both times in one that comes
twice. Every so many seconds knows no zone: it counts from the epoch. (On Lord Howe Island clocks change
by half an hour; ticks of that hour may fall together.)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: Whether cron text comes due at all is tried from here, so that no clock decides it.
_ANY_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
#: When clocks are set back, an hour of the wall comes twice; no zone has set them back by more.
_SET_BACK_MS = 3 * 3_600_000
_INTERVAL = re.compile(r"every (\d{1,9}) s")
MAX_SECONDS = 999_999_999


class BadTimetable(ValueError):
    """A text that is no timetable; it says why in a sentence."""


class Timetable(Protocol):
    """The ticks of a schedule. ``read(expression, time_zone)`` gives the same one again."""

    @property
    def expression(self) -> str: ...

    @property
    def time_zone(self) -> str:
        """The name of the zone in which ``expression`` is meant, empty where it means the same in all."""

    def after(self, ms: int) -> int | None:
        """The first tick after ``ms``, ``None`` where there is none for fifty years."""

    def until(self, ms: int) -> Iterator[int]:
        """The ticks up to and including ``ms``, the latest first."""

    def moment(self, ms: int) -> datetime:
        """``ms`` as an aware time in its zone."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Cron text with five fields, or six with seconds first, on the clocks of a time zone."""

    expression: str
    time_zone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", _zone(self.time_zone))
        try:
            next(CronSim(self.expression, _ANY_MOMENT))
        except CronSimError as error:
            raise BadTimetable(
                f'"{self.expression}" is no cron text ({error}): '
                "write minute, hour, day of the month, month and day of the week."
            ) from None
        except StopIteration:
            raise BadTimetable(f'"{self.expression}" never comes due.') from None

    def after(self, ms: int) -> int | None:
        ticks = (_ms(moment) for moment in CronSim(self.expression, self.moment(ms)))
        # Where the hour comes twice, cronsim begins with its first pass, which may be over.
        return next((tick for tick in ticks if tick > ms), None)

    def until(self, ms: int) -> Iterator[int]:
        # A second later, as it begins with the tick before its start; it knows whole seconds only.
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
    """Every so many seconds since the epoch: every 30 is at :00 and :30 of each minute."""

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
    """The timetable of that text, or ``BadTimetable``."""
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
