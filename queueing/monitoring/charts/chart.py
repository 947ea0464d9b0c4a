"""The data of a chart: series of values over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone
from django.utils.dateformat import format as date_format

from .axes import Measure

#: If a chart covers a longer time, its time labels include the day.
DAYS_FROM = timedelta(hours=27)

Value = float | None


@dataclass(frozen=True, slots=True)
class Series:
    """The values of a series, one for each step, ``None`` if unknown.

    The CSS class ``series-<name>`` gives the series its colour.
    """

    name: str
    label: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Chart:
    """The data and form of a chart.

    ``times`` are the starts of the steps, which have equal length. In the shape ``bars``, the series are
    stacked, with the first at the bottom. In the shape ``area``, each series is drawn over the previous one.
    """

    title: str
    times: Sequence[datetime]
    series: Sequence[Series]
    measure: Measure
    shape: Literal["bars", "lines", "area"] = "lines"

    @property
    def is_empty(self) -> bool:
        """Whether all values of all series are unknown."""
        return all(value is None for series in self.series for value in series.values)

    @property
    def end(self) -> datetime:
        step = self.times[1] - self.times[0] if len(self.times) > 1 else timedelta(minutes=1)
        return self.times[-1] + step

    @property
    def highest(self) -> float:
        """The highest value of all series. For stacked bars, the highest sum of one step."""
        columns = zip(*(series.values for series in self.series), strict=True)
        pile = sum if self.shape == "bars" else max
        return max((pile(value or 0.0 for value in column) for column in columns), default=0.0)

    def text(self, value: Value) -> str:
        """A value with its unit, as text for people."""
        return "–" if value is None else self.measure[1](value)

    def time(self, at: datetime) -> str:
        """A local time, as text for people."""
        return date_format(timezone.localtime(at), "Y-m-d H:i" if self.is_of_days else "H:i")

    @property
    def is_of_days(self) -> bool:
        """Whether the labels of times must include the day."""
        return self.end - self.times[0] > DAYS_FROM
