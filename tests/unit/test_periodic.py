"""``@periodic``: what code says about times, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from functools import wraps
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from queueing import handlers, periodic
from queueing.checks import check_schedules
from queueing.handlers import handler
from queueing.messages import Draft, Timing
from queueing.scheduling import store
from queueing.scheduling.schedule import LATE_MS, MOST_MISSED, Schedule, Target, send_now
from queueing.scheduling.triggers import Interval

every_minute = periodic.periodic("* * * * *")


@pytest.fixture(autouse=True)
def _own_registers(monkeypatch):
    monkeypatch.setattr(periodic, "_registered", [])
    monkeypatch.setattr(periodic, "_makers", {})
    monkeypatch.setattr(handlers, "_handlers", {})


def write_report(message):
    """The function of most tests."""


def only() -> Schedule:
    [schedule] = periodic.schedules()
    return schedule


# --- handlers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decorate", [lambda f: every_minute(handler("work")(f)), lambda f: handler("work")(every_minute(f))]
)
def test_a_handler_has_a_schedule_in_any_order_of_the_decorators(decorate):
    assert decorate(write_report) is write_report
    name = f"{__name__}.write_report"
    assert only().timing == Timing(name, "* * * * *", "UTC", "work", "once")


def test_cron_text_is_meant_in_the_zone_of_the_project_unless_it_names_one(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    handler("work")(write_report)
    periodic.periodic("0 3 * * *", name="ours")(write_report)
    periodic.periodic("0 3 * * *", name="theirs", time_zone="Europe/Berlin")(write_report)
    assert [schedule.timing.time_zone for schedule in periodic.schedules()] == ["Asia/Tokyo", "Europe/Berlin"]


@pytest.mark.parametrize("interval", [{"seconds": 90}, {"when": timedelta(minutes=1, seconds=30)}])
def test_an_interval_is_seconds_or_a_timedelta(interval):
    periodic.periodic(**interval)(handler("work")(write_report))
    assert only().timing == Timing(f"{__name__}.write_report", "every 90 s", "", "work", "once")


def test_a_message_is_the_body_with_headers_for_the_tick():
    periodic.periodic(seconds=10, body="daily")(handler("work")(write_report))
    headers = {"schedule": f"{__name__}.write_report", "tick_ms": "1700000000000"}
    assert only().draft(1_700_000_000_000) == Draft(body="daily", headers=headers)


def test_a_body_may_be_made_of_the_tick_in_the_zone_of_the_schedule():
    told = []
    at_three = periodic.periodic(
        "0 3 * * *", time_zone="Europe/Berlin", body=lambda tick: told.append(tick) or f"{tick:%H:%M}"
    )
    at_three(handler("work")(write_report))
    tick = datetime(2026, 6, 1, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert only().draft(int(tick.timestamp() * 1000)).body == "03:00"
    assert told == [tick]
    assert told[0].utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("value", [None, 5, b"x", {}])
def test_a_body_that_is_not_a_text_is_an_error_with_a_sentence(value):
    periodic.periodic(seconds=10, name="tick", body=lambda tick: value)(handler("work")(write_report))
    with pytest.raises(TypeError, match="body= of the schedule tick returned"):
        only().draft(0)


def test_a_constant_body_that_is_not_a_text_is_refused_at_import():
    with pytest.raises(ImproperlyConfigured, match="not int"):
        periodic.periodic(seconds=10, body=5)


def test_a_handler_that_is_an_object_may_have_a_schedule():
    class Report:
        def __call__(self, message): ...

    every_minute(handler("work")(Report()))
    assert only().name.endswith("Report")


def test_without_a_body_it_is_empty():
    every_minute(handler("work")(write_report))
    assert only().draft(0).body == ""


def test_one_function_may_have_several_schedules_by_name():
    handler("work")(write_report)
    periodic.periodic("0 3 * * *", name="nightly")(write_report)
    periodic.periodic("0 12 * * *", name="at noon")(write_report)
    assert [schedule.name for schedule in periodic.schedules()] == ["at noon", "nightly"]
    assert periodic.find("nightly").timetable.expression == "0 3 * * *"
    assert periodic.find("weekly") is None


def test_a_worker_has_the_schedules_of_its_queues():
    every_minute(handler("work")(write_report))
    assert [schedule.name for schedule in periodic.of_queues(["work", "mail"])] == [
        f"{__name__}.write_report"
    ]
    assert periodic.of_queues(["mail"]) == []


def test_a_module_that_is_imported_again_registers_the_same_once():
    every_minute(handler("work")(write_report))
    again = wraps(write_report)(lambda message: None)
    every_minute(handler("work")(again))
    assert only().target.queue == "work"


# --- what other code makes messages of ----------------------------------------------------------------


class Task:
    """A stand-in for a task."""

    def __init__(self, function):
        self.func = function


def test_a_maker_gives_the_message_of_what_it_knows():
    task = Task(write_report)

    def make(subject, args, kwargs):
        assert subject is task
        return Target("the task", "tasks", lambda tick: Draft(body=f"{args} {kwargs} {tick.timestamp():.0f}"))

    periodic.add_maker(lambda *_: None)
    periodic.add_maker(make)
    assert periodic.periodic(seconds=5, args=["eu"], kwargs={"n": 1})(task) is task
    assert only().timing == Timing("the task", "every 5 s", "", "tasks", "once")
    assert only().draft(5000).body == "['eu'] {'n': 1} 5"


def test_modules_with_schedules_are_imported_before_all_schedules_are_read():
    periodic.add_maker(lambda *_: None, modules=lambda: periodic.periodic("* * * *"))
    [error] = check_schedules()
    assert '"* * * *" is not a cron expression' in error.msg


def test_a_task_of_another_backend_has_no_schedule():
    every_minute(Task(write_report))
    assert periodic.schedules() == []


# --- what makes no sense ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, r"Say when: @periodic\("),
        ({"when": "* * * * *", "seconds": 5}, "Say when"),
        ({"when": "61 * * * *"}, '"61 \\* \\* \\* \\*" is not a cron expression'),
        ({"when": "* * * * *", "time_zone": "Mars"}, 'There is no time zone "Mars"'),
        ({"seconds": 5, "time_zone": "UTC"}, "An interval is the same in every time zone"),
        ({"seconds": 0}, "whole seconds, 1 or more"),
        ({"when": timedelta(milliseconds=1500)}, "whole seconds, 1 or more, not 1.5"),
        ({"seconds": 5, "missed": "never"}, 'missed is "skip", "once" or "all"'),
        ({"seconds": 5, "name": "a\nb"}, "at most 200 printable characters"),
        ({"seconds": 5, "name": "x" * 201}, "at most 200 printable characters"),
    ],
)  # fmt: skip
def test_an_invalid_schedule_is_an_error_at_import(said, sentence):
    with pytest.raises(ImproperlyConfigured, match=sentence):
        periodic.periodic(**said)


def test_two_schedules_need_two_names():
    handler("work")(write_report)
    periodic.periodic(seconds=5)(write_report)
    periodic.periodic(seconds=6)(write_report)
    with pytest.raises(ImproperlyConfigured, match=r"Two schedules are named .*write_report: give one"):
        periodic.schedules()


def test_a_function_that_nothing_runs_has_no_schedule():
    every_minute(write_report)
    with pytest.raises(ImproperlyConfigured, match="neither handler nor task: put @periodic above"):
        periodic.schedules()


def test_a_schedule_of_a_handler_of_two_queues_must_name_one():
    every_minute(handler("a")(handler("b")(write_report)))
    with pytest.raises(ImproperlyConfigured, match="is the handler of a and b"):
        periodic.schedules()


def test_a_handler_takes_no_arguments():
    periodic.periodic(seconds=5, args=[1])(handler("work")(write_report))
    with pytest.raises(ImproperlyConfigured, match="takes body="):
        periodic.schedules()


def test_a_task_takes_no_body():
    periodic.periodic(seconds=5, body="x")(Task(write_report))
    periodic.add_maker(lambda *_: Target("t", "work", lambda _: Draft(body="")))
    with pytest.raises(ImproperlyConfigured, match="is a task: it takes args="):
        periodic.schedules()


def test_the_system_check_lists_what_is_wrong_with_a_sentence():
    assert check_schedules() == []
    every_minute(write_report)
    [error] = check_schedules()
    assert (error.id, error.level) == ("queueing.E030", 40)
    assert "neither handler nor task" in error.msg


def test_the_system_check_lists_an_error_at_import(monkeypatch):
    monkeypatch.setattr(handlers, "discover", lambda: periodic.periodic("* * * *"))
    [error] = check_schedules()
    assert '"* * * *" is not a cron expression' in error.msg


# --- ticks that were missed ---------------------------------------------------------------------------


def with_policy(missed: str, seconds: int = 10) -> Schedule:
    return Schedule("s", Interval(seconds), missed, Target("s", "work", lambda tick: Draft(body="")))


MOMENTS_MS = st.integers(1_700_000_000_000, 1_800_000_000_000)


@given(MOMENTS_MS, st.integers(0, 3_000_000), st.integers(1, 100))
def test_all_makes_up_for_the_last_hundred_in_order(settled_ms, away_ms, seconds):
    now_ms = settled_ms + away_ms
    due = with_policy("all", seconds).due(settled_ms, now_ms)
    step_ms = seconds * 1000
    everything = [
        tick for tick in range(settled_ms // step_ms * step_ms, now_ms + 1, step_ms) if tick > settled_ms
    ]
    assert due == everything[-MOST_MISSED:]


@given(MOMENTS_MS, st.integers(0, 3_000_000), st.integers(1, 600))
def test_once_sends_the_last_and_skip_only_one_that_is_not_late(settled_ms, away_ms, seconds):
    now_ms = settled_ms + away_ms
    last = with_policy("all", seconds).due(settled_ms, now_ms)[-1:]
    assert with_policy("once", seconds).due(settled_ms, now_ms) == last
    on_time = [tick for tick in last if now_ms - tick <= LATE_MS]
    assert with_policy("skip", seconds).due(settled_ms, now_ms) == on_time


# --- now ----------------------------------------------------------------------------------------------


def test_it_can_be_sent_now_beside_its_ticks(fake_client):
    schedule = with_policy("once")
    before_ms = fake_client.now_ms()
    id = send_now(fake_client, schedule)  # the queue is made, too
    message = fake_client.receive_message("work")
    assert (message.id, message.headers["schedule"]) == (id, "s")
    assert before_ms <= int(message.headers["tick_ms"]) <= fake_client.now_ms()
    assert store.schedules(fake_client.session) == []


def test_the_moment_of_a_tick_of_an_interval_is_in_utc():
    told = []
    target = Target("s", "work", lambda tick: told.append(tick) or Draft(body=""))
    Schedule("s", Interval(10), "once", target).draft(10_000)
    assert told == [datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC)]
