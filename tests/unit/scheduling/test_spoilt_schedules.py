"""Values of another program in the key of the schedules cost one schedule at the most."""

import json
from time import monotonic

import pytest

from queueing.client import QueueClient
from queueing.scheduling import store
from queueing.worker.scheduler import Scheduler
from tests.unit.worker.test_scheduler import away, bodies, every, waits

FINE = {
    "expression": "every 3600 s",
    "time_zone": "",
    "queue": "work",
    "missed": "once",
    "settled": "1000",
    "seen": "1000",
    "tick": "0",
    "id": "",
    "paused": "",
}
GARBAGE = {
    "no JSON": "gar{",
    "null": "null",
    "a list": "[1,2]",
    "deep": "[" * 100_000,
    "deep and closed": "[" * 2000 + "]" * 2000,
    "empty": "",
    "an empty object": "{}",
    "bytes": b"\xff\xfe",
    "long": json.dumps(FINE | {"id": "x" * 1_000_000}),
    **{
        f"{field} {value!r:.30}": json.dumps(FINE | {field: value})
        for field in ("settled", "seen", "tick")
        for value in ("x", "", "-9999999999999", "1e3", "1.5", "9" * 400, "9" * 15, "nan", 5, None, [], {})
    },
    **{f"{field} {{}}": json.dumps(FINE | {field: {}}) for field in ("expression", "queue", "paused", "id")},
}
SPOILT = pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)


@pytest.fixture
def work(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("work")
    return any_client


@SPOILT
def test_the_others_are_sent_and_the_spoilt_one_begins_again(work, text):
    good, bad = every(3600, name="good"), every(3600, name="bad")
    away(work, good, 3600)
    work.redis.hset(work.keys.schedules(), "bad", text)
    scheduler = Scheduler(work, [bad, good])
    while not scheduler.step(monotonic()):
        pass
    assert len(bodies(work)) == 1
    assert {state.name for state in store.schedules(work.session)} == {"good", "bad"}
    assert store.spoilt_schedules(work.session) == []


@SPOILT
def test_one_that_no_code_names_stays_and_is_reported(work, text):
    work.redis.hset(work.keys.schedules(), "bad", text)
    Scheduler(work, [every(3600, name="good")]).step(monotonic())
    assert [state.name for state in store.schedules(work.session)] == ["good"]
    assert store.spoilt_schedules(work.session) == ["bad"]


@SPOILT
def test_it_can_be_spoilt_between_two_ticks(work, text):
    scheduler = Scheduler(work, [every(1, name="bad"), every(1, name="good")])
    scheduler.step(monotonic())
    work.redis.hset(work.keys.schedules(), "bad", text)
    for plan in scheduler.plans:
        plan.settle(plan.settled_ms - 5000)
    while not scheduler.step(monotonic()):
        pass
    scheduler.step(monotonic())
    assert {state.name for state in store.schedules(work.session)} == {"good", "bad"}


@pytest.mark.parametrize(
    ("expression", "time_zone"),
    [
        ("* * * * * * * *", "../../etc/passwd"),
        ("* " * 500_000, "UTC"),
        ("0-59," * 200_000 + " * * * *", "UTC"),
        ("every 999999999 s", "\x00"),
        ("* * * * *", "x" * 10_000),
        ("* * * * *", ""),
    ],
    ids=range(6),
)
def test_a_timetable_that_only_another_program_reads_has_no_next_tick(work, expression, time_zone):
    state = FINE | {"expression": expression, "time_zone": time_zone, "seen": str(work.now_ms())}
    work.redis.hset(work.keys.schedules(), "bad", json.dumps(state))
    work.redis.hset(work.keys.schedules(), "good", json.dumps(FINE | {"seen": str(work.now_ms())}))
    Scheduler(work, [every(3600)]).step(monotonic())
    names = [found.name for found in store.schedules(work.session)]
    assert "good" in names


def test_a_schedule_from_which_the_scheduler_died_continues_without_a_restart(work):
    """The thread meets the garbage, and continues after the repair."""
    scheduler = Scheduler(work, [every(3600)])
    scheduler.step(monotonic())
    key = work.keys.schedules()
    work.redis.delete(key)
    work.redis.set(key, "x")
    scheduler._name_at = 0.0
    assert 0 < scheduler.step(monotonic()) <= 15
    work.redis.delete(key)
    scheduler.step(monotonic())
    assert [state.name for state in store.schedules(work.session)] == ["report"]
    assert waits(work, every(3600)) > 0
