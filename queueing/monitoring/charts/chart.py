"""The data of a chart: series of values over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone
from django.utils.dateformat import format as date_format

from .axes import Measure

#: A chart of at least this time has days as labels.
DAYS_FROM = timedelta(hours=27)

Value = float | None


@dataclass(frozen=True, slots=True)
class Series:
    """A value for each step, ``None`` if unknown. ``name`` is the CSS class that sets the colour."""

    name: str
    label: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Chart:
    """The data and form of a chart. ``times`` are the beginnings of equal steps, one per value of a series.

    ``bars`` are stacked, with the first series at the bottom. Each ``area`` covers the one before it.
    """

    title: str
    times: Sequence[datetime]
    series: Sequence[Series]
    measure: Measure
    shape: Literal["bars", "lines", "area"] = "lines"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known at any time."""
        return all(value is None for series in self.series for value in series.values)

    @property
    def end(self) -> datetime:
        step = self.times[1] - self.times[0] if len(self.times) > 1 else timedelta(minutes=1)
        return self.times[-1] + step

    @property
    def highest(self) -> float:
        """The highest value, or the highest sum of a step if the chart has stacked bars."""
        columns = zip(*(series.values for series in self.series), strict=True)
        pile = sum if self.shape == "bars" else max
        return max((pile(value or 0.0 for value in column) for column in columns), default=0.0)

    def text(self, value: Value) -> str:
        """A value with its unit, as people read it."""
        return "–" if value is None else self.measure[1](value)

    def time(self, at: datetime) -> str:
        """A local time, as people read it."""
        return date_format(timezone.localtime(at), "Y-m-d H:i" if self.is_of_days else "H:i")

    @property
    def is_of_days(self) -> bool:
        """Whether times need their day."""
        return self.end - self.times[0] > DAYS_FROM
