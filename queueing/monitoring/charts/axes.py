"""The positions of a chart's grid lines, and their labels."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext

from queueing.text.humanize import duration, unbroken

#: The most grid lines of a chart, without the line at the bottom.
LINES_MAX = 4
#: The most time labels of a chart. More would not fit beneath a chart on a phone.
TIMES_MAX = 6
#: Limits are multiplied by this factor in comparisons, because floats are not exact.
_NEARLY = 0.999999
#: Distances in seconds between the grid lines of long durations. Decimal numbers such as 100 would not be
#: round there.
_ROUND_SECONDS = (
    *(60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0),
    *(86_400.0, 172_800.0, 432_000.0),
)
_TIME_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
)
_DAY = timedelta(days=1)


def count_ticks(highest: float) -> list[float]:
    """The values of grid lines for numbers: from 0 to at least ``highest``, in round steps of at least 1."""
    return _ticks(highest, _decimal_step(max(highest / LINES_MAX, 1.0)))


def seconds_ticks(highest: float) -> list[float]:
    """The values of grid lines for durations, in seconds: from 0 to at least ``highest``, in round steps."""
    apart = max(highest / LINES_MAX, 0.0001)
    if apart <= 20:
        return _ticks(highest, _decimal_step(apart))
    longer = next((step for step in _ROUND_SECONDS if step >= apart), None)
    return _ticks(highest, longer or _decimal_step(apart / 86_400) * 86_400)


def _decimal_step(least: float) -> float:
    """The smallest number that is 1, 2 or 5 times a power of ten, and is at least ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * _NEARLY)


def _ticks(highest: float, step: float) -> list[float]:
    ticks = [0.0, step]
    while ticks[-1] < highest * _NEARLY:
        ticks.append(step * len(ticks))
    return ticks


def count_text(value: float) -> str:
    """A number as short text: ``0``, ``1.5``, ``950``, ``12 k``, ``3.4 M``."""
    for size, word in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if value >= size:
            return unbroken(f"{_decimal(value / (1000 if word == 'k' else size))} {word}")
    return f"{value:.0f}" if value >= 100 or value == int(value) else _decimal(value, 2)


def _decimal(value: float, digits: int = 3) -> str:
    """``value`` with the decimal separator of the active language, rounded to ``digits`` digits."""
    text: str = number_format(f"{value:.{digits}g}")
    return text


def seconds_text(value: float) -> str:
    """A duration as short text: ``2.5 ms``, ``250 ms``, ``1.5 s``, ``3 min 20 s``."""
    if 0 < value < 1:
        return unbroken(pgettext("milliseconds", "%s ms") % _decimal(value * 1000))
    if value < 60:
        return unbroken(pgettext("seconds", "%s s") % _decimal(value))
    return duration(value)


def time_ticks(begin: datetime, end: datetime) -> list[datetime]:
    """The local times to label beneath a chart: round times between ``begin`` and ``end``.

    There are few enough of them to fit.
    """
    begin, end = timezone.localtime(begin), timezone.localtime(end)
    apart = (end - begin) / TIMES_MAX
    step = next((step for step in _TIME_STEPS if step >= apart), None) or _DAY * -(-apart // _DAY)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[datetime] = []
    for number in count():
        # Local times are added by wall clock, so noon stays noon when clocks change.
        tick = midnight + number * step
        if tick >= end:
            return found
        if tick >= begin:
            found.append(tick)
    return found


def time_text(at: datetime, *, of_days: bool) -> str:
    """The label of a time: the time of day, or with ``of_days`` the day."""
    # Translators: a day on the axis of a chart, in the format of Django's date filter
    return date_format(timezone.localtime(at), gettext("M j") if of_days else "H:i")


#: Functions for one kind of values: one computes the grid lines, the other formats a value.
Measure = tuple[Callable[[float], Sequence[float]], Callable[[float], str]]
COUNTS: Measure = (count_ticks, count_text)
SECONDS: Measure = (seconds_ticks, seconds_text)
