"""The worker's scheduler: its messages and its pauses. Past ticks replace waiting."""

import json
import logging
import os
import time
from time import monotonic

import pytest
import redis

from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.messages import Draft
from queueing.scheduling import store
from queueing.scheduling.schedule import Schedule, Target
from queueing.scheduling.triggers import Cron, Interval
from queueing.worker.processes import watch_forks
from queueing.worker.scheduler import NAMING_SECONDS, STEP, Scheduler
from tests.support.cutting_proxy import CuttingProxy
from tests.support.forks import in_forks


def every(
    seconds: int, *, name: str = "report", missed: str = "once", body=None, queue: str = "work"
) -> Schedule:
    made = body or (lambda tick: f"{tick.timestamp():.0f}")
    return Schedule(name, Interval(seconds), missed, Target(name, queue, lambda tick: Draft(body=made(tick))))


def bodies(client: QueueClient) -> list[str]:
    return [message.body for message in client.peek_messages("work", count=100)]


def away(client: QueueClient, schedule: Schedule, seconds: int) -> int:
    """No worker has been there for so long. Up to where its ticks are settled."""
    Scheduler(client, [schedule]).step(monotonic())
    key, name = client.keys.schedules(), schedule.name
    state = json.loads(client.redis.hget(key, name))
    settled_ms = int(state["settled"]) - seconds * 1000
    client.redis.hset(key, name, json.dumps(state | {"settled": str(settled_ms)}))
    return settled_ms


def waits(client: QueueClient, schedule: Schedule) -> float:
    """Seconds that a new scheduler waits after it has done all there is."""
    scheduler = Scheduler(client, [schedule])
    for _ in range(20):
        pause_seconds = scheduler.step(monotonic())
        if pause_seconds:
            return pause_seconds
    raise AssertionError("it never rests")


@pytest.fixture
def work(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("work")
    return any_client


def test_a_new_schedule_waits_for_its_next_tick(work):
    pause_seconds = Scheduler(work, [every(3600)]).step(monotonic())
    [state] = store.schedules(work.session)
    assert pause_seconds == pytest.approx(min((state.next_ms - state.now_ms) / 1000, NAMING_SECONDS), abs=1)
    assert bodies(work) == []


def test_a_tick_that_was_missed_is_sent_when_a_worker_is_there_again(work):
    settled_ms = away(work, every(3600), 3600)
    waits(work, every(3600))
    assert bodies(work) == [str((settled_ms // 3_600_000 + 1) * 3600)]
    [state] = store.schedules(work.session)
    assert state.late_seconds == 0


def test_once_sends_the_last_of_many_missed_ticks(work):
    settled_ms = away(work, every(10), 95)
    waits(work, every(10))
    [body] = bodies(work)
    assert int(body) % 10 == 0
    assert settled_ms / 1000 + 80 < int(body) <= work.now_ms() / 1000


def test_all_makes_up_for_each_in_order_and_in_bounded_steps(work):
    settled_ms = away(work, every(10, missed="all"), 255)
    scheduler = Scheduler(work, [every(10, missed="all")])
    assert scheduler.step(monotonic()) == 0
    assert len(bodies(work)) == STEP
    while scheduler.step(monotonic()) == 0:
        pass
    first = settled_ms // 10_000 + 1
    expected = [str((first + number) * 10) for number in range(work.now_ms() // 10_000 - first + 1)]
    assert bodies(work) == expected
    assert len(expected) in (25, 26)


def test_skip_sends_nothing_for_what_is_long_over(work):
    thirty_years = every(999_999_999, missed="skip")  # its last tick was in 2001
    away(work, thirty_years, 1_000_000_000)
    assert store.schedules(work.session)[0].late_seconds > 0
    waits(work, thirty_years)
    assert bodies(work) == []
    assert store.schedules(work.session)[0].late_seconds == 0


def test_skip_sends_a_tick_that_is_a_little_late(work):
    away(work, every(10, missed="skip"), 95)
    waits(work, every(10, missed="skip"))
    assert len(bodies(work)) == 1


def test_cron_text_is_sent_at_its_minute(work):
    schedule = Schedule("c", Cron("* * * * *", "Asia/Kathmandu"), "all", every(1).target)
    settled_ms = away(work, schedule, 180)
    waits(work, schedule)
    minutes = [int(body) for body in bodies(work)]
    assert len(minutes) in (3, 4)
    assert minutes == [(settled_ms // 60_000 + 1) * 60 + 60 * number for number in range(len(minutes))]


def test_a_tick_that_another_worker_has_sent_is_not_sent_again(work):
    schedule = every(3600)
    away(work, schedule, 3600)
    one, other = Scheduler(work, [schedule]), Scheduler(work, [schedule])
    one._name()
    other._name()
    one.step(monotonic())
    assert other.step(monotonic()) > 0
    assert len(bodies(work)) == 1


def test_the_clock_of_the_machine_decides_nothing(work, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    away(work, every(3600), 3600)
    waits(work, every(3600))
    assert len(bodies(work)) == 1


def test_a_worker_that_believes_it_is_an_hour_later_sends_nothing_early(work):
    scheduler = Scheduler(work, [every(3600)])
    scheduler.step(monotonic())
    scheduler._server_clock.set(scheduler._server_clock.now_ms() + 3_600_000)
    assert scheduler.step(monotonic()) > 0  # it has learnt the time
    assert bodies(work) == []
    assert store.schedules(work.session)[0].late_seconds == 0


def test_a_queue_that_is_missing_is_made(any_client):
    away(any_client, every(3600), 3600)
    waits(any_client, every(3600))
    assert len(bodies(any_client)) == 1


def test_a_schedule_that_redis_has_lost_begins_again(work):
    scheduler = Scheduler(work, [every(1)])
    scheduler.step(monotonic())
    work.redis.delete(work.keys.schedules())
    scheduler.plans[0].settle(scheduler.plans[0].settled_ms - 5000)  # its tick is due
    scheduler.step(monotonic())
    assert store.schedules(work.session) == []
    assert 0 < scheduler.step(monotonic()) <= 1
    assert [state.name for state in store.schedules(work.session)] == ["report"]
    assert bodies(work) == []


def test_a_paused_schedule_continues_without_messages(work):
    away(work, every(10), 95)
    store.pause_schedule(work.session, "report")
    assert 0 < waits(work, every(10)) <= 10
    assert bodies(work) == []


def test_older_code_lets_newer_code_have_its_way(work, caplog):
    older, newer = Scheduler(work, [every(10)]), Scheduler(work, [every(20)])
    older.step(monotonic())
    newer.step(monotonic())
    older._name_at = 0.0
    assert older.step(monotonic()) == pytest.approx(NAMING_SECONDS, abs=1)
    assert "newer code has other times for it" in caplog.text
    assert store.schedules(work.session)[0].timing.expression == "every 20 s"


def taken_back(work: QueueClient, schedule: Schedule, *, minutes: int) -> None:
    """A newer release had other times for a schedule, and its workers left so long ago."""
    newer = Schedule(schedule.name, Interval(999_999), schedule.missed, schedule.target)
    Scheduler(work, [newer]).step(monotonic())
    key = work.keys.schedules()
    state = json.loads(work.redis.hget(key, schedule.name))
    left_ms = str(int(state["settled"]) - minutes * 60_000)
    work.redis.hset(key, schedule.name, json.dumps(state | {"settled": left_ms, "seen": left_ms}))


@pytest.mark.parametrize(("missed", "sent"), [("once", 1), ("all", 5), ("skip", 0)])
def test_after_a_rollback_the_older_worker_makes_up_for_what_was_missed(work, caplog, missed, sent):
    schedule = every(60, missed=missed)
    older = Scheduler(work, [schedule])
    older.step(monotonic())
    Scheduler(work, [every(20)]).step(monotonic())
    older._name_at = 0.0
    older.step(monotonic())
    taken_back(work, schedule, minutes=5)
    older._name_at = 0.0
    older.step(monotonic())
    # A tick that is less than a minute late is sent by ``skip``, too.
    assert len(bodies(work)) in (sent, sent + 1)
    assert "no worker has other times for it any more" in caplog.text


@pytest.mark.parametrize("missed", ["once", "all"])
def test_after_a_rollback_a_new_worker_of_the_older_release_makes_up_for_it_too(work, missed):
    schedule = every(60, missed=missed)
    Scheduler(work, [schedule]).step(monotonic())
    taken_back(work, schedule, minutes=5)
    Scheduler(work, [schedule]).step(monotonic())
    assert len(bodies(work)) in ((1,) if missed == "once" else (5, 6))


def test_a_tick_that_newer_code_refuses_is_reported(work, caplog):
    older = Scheduler(work, [every(10)])
    away(work, every(10), 95)
    older._name()
    Scheduler(work, [every(20)]).step(monotonic())
    older.step(monotonic())
    assert caplog.text.count("newer code has other times for it") == 1
    older._name_at = 0.0
    older.step(monotonic())
    assert caplog.text.count("newer code has other times for it") == 1


# --- trouble ------------------------------------------------------------------------------------------


def test_a_body_that_cannot_be_made_stops_no_other_schedule(work, caplog):
    def fail(tick):
        raise SystemExit("no body")

    bad, good = every(10, name="bad", body=fail), every(10, name="good")
    away(work, bad, 95)
    away(work, good, 95)
    scheduler = Scheduler(work, [bad, good])
    assert scheduler.step(monotonic()) > 0
    assert len(bodies(work)) == 1
    assert "schedule bad has no message" in caplog.text
    assert "no body" in caplog.text


def test_a_message_that_the_queue_refuses_is_tried_again_later(work, caplog):
    long = every(10, body=lambda tick: "x" * 70_000)
    away(work, long, 95)
    scheduler = Scheduler(work, [long])
    assert 0.4 < scheduler.step(monotonic()) <= 0.5
    assert "schedule report cannot send to work: Message too long" in caplog.text
    work.set_queue_attributes("work", maxsize=-1)
    scheduler.plans[0].retry_at = 0.0
    scheduler.step(monotonic())
    assert len(bodies(work)) == 1


def test_a_full_redis_gets_the_tick_when_there_is_room(own_redis):
    with own_redis().connect() as connection:
        client = QueueClient(connection)
        client.create_queue("work")
        away(client, every(3600), 3600)
        scheduler = Scheduler(client, [every(3600)])
        connection.config_set("maxmemory", "1mb")
        scheduler.step(monotonic())
        connection.config_set("maxmemory", "0")
        assert bodies(client) == []
        scheduler.plans[0].retry_at = 0.0
        scheduler.step(monotonic())
        assert len(bodies(client)) == 1


def test_while_redis_is_away_it_backs_off_and_then_continues(redis_server, client, caplog):
    client.create_queue("work")
    away(client, every(3600), 3600)
    with CuttingProxy(redis_server.port) as proxy:
        connection = redis.Redis.from_url(proxy.url, retry=None, socket_timeout=0.2)
        scheduler = Scheduler(QueueClient(connection), [every(3600)])
        proxy.refuse = True
        pauses = [scheduler.step(monotonic()) for _ in range(3)]
        assert all(0 < pause <= 2 for pause in pauses)
        # The children report the outage.
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        proxy.refuse = False
        scheduler.step(monotonic())
        connection.close()
    assert len(bodies(client)) == 1


# --- what it costs --------------------------------------------------------------------------------------


def test_between_ticks_it_calls_only_to_name_its_schedules(redis_server, client):
    with CuttingProxy(redis_server.port) as proxy:
        connection = redis.Redis.from_url(proxy.url, retry=None)
        scheduler = Scheduler(QueueClient(connection), [every(86_400, name=str(n)) for n in range(20)])
        scheduler.step(monotonic())
        proxy.commands.clear()
        pauses = [scheduler.step(monotonic()) for _ in range(10)]
        assert not proxy.commands
        assert max(pauses) <= NAMING_SECONDS
        scheduler._name_at = 0.0
        scheduler.step(monotonic())
        assert list(proxy.commands) == ["EVALSHA"]
        connection.close()


def test_a_fork_that_the_code_of_a_body_makes_sends_nothing(client: QueueClient, redis_server):
    client.create_queue("work")

    def forking(tick) -> str:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        return "of the parent" if pid else "of the fork"

    def life(number: int) -> list[str]:
        watch_forks()
        own = connect(Config(URL=redis_server.url))
        schedule = every(60, body=forking)
        away(own, schedule, 120)
        Scheduler(own, [schedule]).step(monotonic())
        return bodies(own)

    assert in_forks(life) == [["of the parent"]]
