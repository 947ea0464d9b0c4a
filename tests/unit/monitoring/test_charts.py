"""Charts: what is drawn where, and that all of it can be read."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from queueing.monitoring.charts import COUNTS, Chart, Series, draw, sparkline
from queueing.monitoring.charts.axes import (
    count_text,
    count_ticks,
    seconds_text,
    seconds_ticks,
    time_text,
    time_ticks,
)
from queueing.text.humanize import unbroken

NOON = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


def chart(*series: Sequence[float | None], shape: str = "lines", step_minutes: int = 1) -> Chart:
    """Series a, b … from noon on."""
    times = [NOON + timedelta(minutes=step_minutes * number) for number in range(len(series[0]))]
    named = [Series(name, f"label {name}", values) for name, values in zip("abc", series, strict=False)]
    return Chart("Title", times, named, COUNTS, shape)  # type: ignore[arg-type]


def parsed(html: str) -> ElementTree.Element:
    """The drawing. It is valid XML only if every tag is closed and every label is escaped."""
    return ElementTree.fromstring(html)


def of_class(root: ElementTree.Element, word: str) -> list[ElementTree.Element]:
    return [found for found in root.iter() if word in found.get("class", "").split()]


class TestBars:
    def test_they_are_stacked(self) -> None:
        root = parsed(draw(chart([10, 5], [10, 0], shape="bars")))

        first, second, third = of_class(root, "bar")
        assert [bar.get("class") for bar in (first, second, third)] == [
            "bar series-a",
            "bar series-b",
            "bar series-a",
        ]
        assert first.get("x") == second.get("x") != third.get("x")
        assert float(second.get("y", "")) + float(second.get("height", "")) == float(first.get("y", ""))
        assert float(first.get("y", "")) + float(first.get("height", "")) == 160
        assert float(first.get("height", "")) == 2 * float(third.get("height", ""))

    def test_the_highest_stack_fits(self) -> None:
        root = parsed(draw(chart([70, 1], [60, 2], [50, 3], shape="bars")))

        assert all(float(bar.get("y", "")) >= 0 for bar in of_class(root, "bar"))


class TestLines:
    def test_missing_data_is_a_gap(self) -> None:
        root = parsed(draw(chart([1, 2, None, 3, 4, None, 5])))

        [line] = of_class(root, "line")
        pieces = [piece.split("L") for piece in line.get("d", "").split("M")[1:]]
        assert [[point.split()[0] for point in piece] for piece in pieces] == [
            ["0.5", "1.5"],
            ["3.5", "4.5"],
            ["6.5", "6.5"],  # a dot
        ]

    def test_an_area_ends_at_the_gap(self) -> None:
        root = parsed(draw(chart([4, 4, None, 2], shape="area")))

        areas = [area.get("d", "") for area in of_class(root, "area")]
        assert areas == ["M0.5 160L0.5 0.00L1.5 0.00L1.5 160Z", "M3.5 160L3.5 80.00L3.5 160Z"]

    def test_it_is_as_wide_as_there_are_steps(self) -> None:
        root = parsed(draw(chart([1] * 75)))

        [inner] = [svg for svg in root.iter("svg") if svg.get("viewBox")]
        assert inner.get("viewBox") == "0 0 75 160"
        assert len(of_class(root, "step")) == 75


class TestReading:
    def test_every_figure_is_in_the_table_the_newest_first(self) -> None:
        root = parsed(draw(chart([1, None], [3, 4])))

        rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
        assert rows == [["Time", "label a", "label b"], ["12:01", "–", "4"], ["12:00", "1", "3"]]

    def test_the_description_has_the_last_and_the_highest_value(self) -> None:
        root = parsed(draw(chart([1, 9, 2, None])))

        [description] = root.iter("desc")
        assert description.text == "label a: last 2, highest 9 at 12:01."

    def test_the_pointer_meets_the_figures_of_a_step(self) -> None:
        root = parsed(draw(chart([1, 2], [3, 4])))

        said = ["".join(step.itertext()) for step in of_class(root, "step")]
        assert said == ["12:00\nlabel a: 1\nlabel b: 3", "12:01\nlabel a: 2\nlabel b: 4"]

    @pytest.mark.parametrize("shape", ["bars", "lines", "area"])
    def test_nothing_known_is_a_sentence(self, shape: str) -> None:
        html = draw(chart([None, None], shape=shape))

        assert "<svg" not in html
        assert "Nothing was measured in this time." in html

    @pytest.mark.parametrize("shape", ["bars", "lines", "area"])
    def test_nought_is_not_nothing(self, shape: str) -> None:
        assert "<svg" in draw(chart([0, 0], shape=shape))

    def test_no_style_and_no_script_inside(self) -> None:
        html = draw(chart([1, 2])) + sparkline([1, 2], "x")

        assert not re.search(r"style=|<style|<script|\son\w+=|href=", html)

    def test_hostile_labels_are_text(self) -> None:
        hostile = "</title><script>alert(1)</script>\u202e\"'"
        times = [NOON, NOON + timedelta(minutes=1)]

        html = draw(Chart(hostile, times, [Series("a", hostile, [1, 2])], COUNTS)) + sparkline([1], hostile)

        assert "<script" not in html
        assert "\u202e" not in html
        parsed(f"<div>{html}</div>")

    def test_times_are_of_the_viewers_zone(self) -> None:
        with timezone.override(ZoneInfo("Asia/Tokyo")):
            html = draw(chart([1, 2]))

        assert "21:01" in html
        assert "12:01" not in html


class TestSparkline:
    def test_it_has_a_title(self) -> None:
        root = parsed(sparkline([0, 5, None, 3], "done a minute"))

        assert root.find("title").text == "done a minute: last 3, highest 5"  # type: ignore[union-attr]
        assert len(of_class(root, "area")) == 2

    @pytest.mark.parametrize("values", [[], [None, None]])
    def test_no_values_have_no_peak(self, values: list[None]) -> None:
        assert sparkline(values, "x") == ""

    def test_zeros_are_at_the_bottom(self) -> None:
        [line] = of_class(parsed(sparkline([0, 0], "x")), "line")

        assert line.get("d") == "M0.5 160.00L1.5 160.00"


class TestAxes:
    @pytest.mark.parametrize(
        ("highest", "ticks"),
        [
            (0, [0, 1]),
            (1, [0, 1]),
            (3, [0, 1, 2, 3]),
            (4.5, [0, 2, 4, 6]),
            (10, [0, 5, 10]),
            (99, [0, 50, 100]),
            (1000, [0, 500, 1000]),
            (123_456, [0, 50_000, 100_000, 150_000]),
        ],
    )
    def test_counts_have_whole_round_lines(self, highest: float, ticks: list[float]) -> None:
        assert count_ticks(highest) == ticks

    @pytest.mark.parametrize(
        ("highest", "last"),
        [(0, "0.1 ms"), (0.0004, "0.4 ms"), (0.03, "30 ms"), (0.9, "1 s"), (7, "8 s"), (61, "1 min 20 s")]
        + [(200, "4 min 0 s"), (4000, "1 h 20 min"), (100_000, "36 h 0 min"), (10_000_000, "150 d")],
    )
    def test_spans_have_lines_at_round_spans(self, highest: float, last: str) -> None:
        ticks = seconds_ticks(highest)

        assert ticks[-1] >= highest * 0.999
        assert 2 <= len(ticks) <= 6
        assert seconds_text(ticks[-1]) == unbroken(last)

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (1.5, "1.5"), (950, "950"), (9999, "9999"), (12_000, "12 k"), (3_400_000, "3.4 M")]
        + [(2**53, "9.01e+06 G"), (0.25, "0.25")],
    )
    def test_counts_are_short(self, value: float, text: str) -> None:
        assert count_text(value) == unbroken(text)

    @pytest.mark.parametrize("hours", [1, 2, 24, 48, 24 * 7, 24 * 30])
    def test_times_are_few_and_round(self, hours: int) -> None:
        begin = NOON + timedelta(minutes=7)
        ticks = time_ticks(begin, begin + timedelta(hours=hours))

        assert 3 <= len(ticks) <= 6
        assert all(tick.minute % 10 == 0 for tick in ticks)
        assert all(begin <= tick < begin + timedelta(hours=hours) for tick in ticks)

    def test_days_begin_at_the_viewers_midnight_also_when_clocks_change(self) -> None:
        with timezone.override(ZoneInfo("Europe/Berlin")):
            ticks = time_ticks(datetime(2026, 3, 26, 12, tzinfo=UTC), datetime(2026, 4, 2, 12, tzinfo=UTC))

            assert {tick.hour for tick in ticks} == {0}
            assert [time_text(tick, of_days=True) for tick in ticks] == ["Mar 28", "Mar 30", "Apr 1"]
