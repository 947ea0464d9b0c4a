"""When schedules are due: cron text in a zone with its changes of the clocks, and intervals."""

from datetime import datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queueing.scheduling.triggers import BadTimetable, Cron, Interval, Timetable, read

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def ms(text: str, *, fold: int = 0) -> int:
    """A moment on the clocks of Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp() * 1000)


def shown(tick: int) -> str:
    return datetime.fromtimestamp(tick / 1000, BERLIN).isoformat()[:16]


def ticks_between(timetable: Timetable, start_ms: int, end_ms: int) -> list[int]:
    """The ticks after ``start_ms`` up to ``end_ms``, found one after the other."""
    found: list[int] = []
    tick = timetable.after(start_ms)
    while tick is not None and tick <= end_ms:
        found.append(tick)
        tick = timetable.after(tick)
    return found


def test_cron_text_is_due_at_its_minutes():
    start = ms("2026-06-01T12:01")
    found = ticks_between(Cron("*/20 * * * *", "Europe/Berlin"), start, start + HOUR_MS)
    assert [shown(tick)[11:] for tick in found] == ["12:20", "12:40", "13:00"]


def test_six_fields_begin_with_seconds():
    start = ms("2026-06-01T12:00")
    assert Cron("*/15 * * * * *", "UTC").after(start) == start + 15_000


def test_a_tick_is_not_after_itself_but_up_to_itself():
    noon = ms("2026-06-01T12:00")
    timetable = Cron("0 12 * * *", "Europe/Berlin")
    assert timetable.after(noon) == noon + DAY_MS
    assert timetable.after(noon - 1) == noon
    assert next(timetable.until(noon)) == noon
    assert next(timetable.until(noon - 1)) == noon - DAY_MS


def test_the_zone_decides_when_an_hour_is():
    start = ms("2026-06-01T00:00")
    apart = Cron("0 12 * * *", "UTC").after(start) - Cron("0 12 * * *", "Europe/Berlin").after(start)
    assert apart == 2 * HOUR_MS


# --- the clocks change ----------------------------------------------------------------------------

SPRING, AUTUMN = "2026-03-29", "2026-10-25"


def around(day: str, expression: str) -> list[str]:
    """The ticks from 1 to 5 o'clock on the clocks of Berlin."""
    found = ticks_between(Cron(expression, "Europe/Berlin"), ms(f"{day}T01:00") - 1, ms(f"{day}T05:00") - 1)
    return [shown(tick)[11:] for tick in found]


def test_a_time_that_is_left_out_comes_at_the_first_minute_after_it():
    assert around(SPRING, "30 2 * * *") == ["03:00"]


def test_several_times_that_are_left_out_come_once():
    assert around(SPRING, "15,45 2 * * *") == ["03:00"]


def test_a_time_that_comes_twice_is_due_the_first_time():
    assert around(AUTUMN, "30 2 * * *") == ["02:30"]
    twice = ticks_between(Cron("30 2 * * *", "Europe/Berlin"), ms(f"{AUTUMN}T00:00"), ms(f"{AUTUMN}T12:00"))
    assert twice == [ms(f"{AUTUMN}T02:30", fold=0)]


def test_text_with_a_star_continues_evenly():
    assert around(SPRING, "*/30 * * * *") == ["01:00", "01:30", "03:00", "03:30", "04:00", "04:30"]
    assert around(SPRING, "*/30 2 * * *") == []
    assert around(AUTUMN, "0 * * * *") == ["01:00", "02:00", "02:00", "03:00", "04:00"]
    assert around(AUTUMN, "*/30 2 * * *") == ["02:00", "02:30", "02:00", "02:30"]


def test_in_the_second_pass_of_an_hour_its_tick_is_over():
    timetable = Cron("30 2 * * *", "Europe/Berlin")
    second_pass = ms(f"{AUTUMN}T02:10", fold=1)
    assert next(timetable.until(second_pass)) == ms(f"{AUTUMN}T02:30", fold=0)
    assert timetable.after(second_pass) == ms("2026-10-26T02:30")


EXPRESSIONS = st.sampled_from(
    [
        "30 2 * * *", "0 3 * * *", "15,45 1-3 * * *", "*/20 * * * *", "*/20 2 * * *", "0 */2 * * *",
        "59 23 * * 0", "0 0 1 * *", "0 0 L * *", "30 2 29 3 *", "10,50 * * * * *", "7 * * * MON-FRI",
        "5 0 * 8 *", "0 12 * * MON#2", "0 0,12 1 */2 *",
    ]
)  # fmt: skip
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu", "America/St_Johns"]
)
#: Four years, all days on which clocks change among them.
MOMENTS_MS = st.integers(ms("2024-01-01T00:00"), ms("2028-01-01T00:00"))
CHANGES_MS = st.builds(
    lambda base, off: base + off,
    st.sampled_from(
        [ms(f"{SPRING}T01:00"), ms(f"{AUTUMN}T01:00"), ms("2026-03-08T05:00"), ms("2026-11-01T06:00")]
    ),
    st.integers(-3 * HOUR_MS, 5 * HOUR_MS),
)


@settings(max_examples=40)
@given(EXPRESSIONS, ZONES, st.one_of(MOMENTS_MS, CHANGES_MS))
def test_the_next_tick_lies_ahead_and_the_last_one_behind_and_none_between(expression, zone, now):
    timetable = read(expression, zone)
    last, following = next(timetable.until(now)), timetable.after(now)
    assert last <= now < following
    assert timetable.after(last) == following
    assert next(timetable.until(following - 1)) == last


@settings(max_examples=40)
@given(EXPRESSIONS, ZONES, CHANGES_MS)
def test_forwards_and_backwards_are_the_same_ticks(expression, zone, now):
    timetable = read(expression, zone)
    start = now - 30 * HOUR_MS
    backwards = list(takewhile(lambda tick: tick > start, timetable.until(now)))
    assert backwards[::-1] == ticks_between(timetable, start, now)


# --- intervals ------------------------------------------------------------------------------------


@given(st.integers(1, 100_000), MOMENTS_MS)
def test_an_interval_counts_from_the_epoch(seconds, now):
    timetable = Interval(seconds)
    following = timetable.after(now)
    assert following % (seconds * 1000) == 0
    assert 0 < following - now <= seconds * 1000
    expected = [following - seconds * 1000 * back for back in (1, 2)]
    assert list(islice(timetable.until(following - 1), 2)) == expected


# --- what is none -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "x", "* * *", "61 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "a b c d e", "*/0 * * * *"],
)
def test_an_invalid_cron_text_raises_an_error_that_explains_the_format(text):
    with pytest.raises(
        BadTimetable, match="is not a cron expression .*: write minute, hour, day of the month"
    ):
        Cron(text, "UTC")


def test_a_day_that_never_comes_is_not_a_timetable():
    with pytest.raises(BadTimetable, match="30 2"):
        Cron("0 0 30 2 *", "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "a\0b"])
def test_an_invalid_time_zone_is_named(zone):
    with pytest.raises(BadTimetable, match="There is no time zone"):
        Cron("* * * * *", zone)


@pytest.mark.parametrize("seconds", [0, -1, 1.5, True, 10**9, "30"])
def test_an_interval_is_a_whole_number_of_seconds(seconds):
    with pytest.raises(BadTimetable, match="whole seconds"):
        Interval(seconds)


@pytest.mark.parametrize("timetable", [Cron("*/5 * * * *", "Europe/Berlin"), Interval(30)])
def test_its_texts_make_the_same_timetable_again(timetable):
    assert read(timetable.expression, timetable.time_zone) == timetable


def test_a_day_in_berlin_has_twenty_three_to_twenty_five_hours():
    timetable = Cron("0 0 * * *", "Europe/Berlin")
    lengths = {
        timedelta(milliseconds=timetable.after(start) - start)
        for day in (SPRING, AUTUMN, "2026-06-01")
        for start in [ms(f"{day}T00:00")]
    }
    assert lengths == {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)}
