"""Schedules in Redis: each tick sends once, for any number of callers and calls."""

import json
import threading
from collections import Counter

import pytest
import redis

from queueing.client import QueueClient
from queueing.exceptions import MessageTooLong, QueueFull, QueueNotFound, ScheduleNotFound
from queueing.messages import Draft, Timing
from queueing.scheduling import store
from queueing.scheduling.store import FORGOTTEN_MS, LEFT_MS
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy
from tests.support.threads import Threads

REPORT = Timing("report", "every 1 s", "", "work", "once")
#: The same schedule with the times of a newer release.
NEWER = Timing("report", "every 2 s", "", "work", "once")


@pytest.fixture
def work(any_client: QueueClient) -> QueueClient:
    """The client; the queue ``work`` is there."""
    any_client.create_queue("work")
    return any_client


def named(client: QueueClient, timing: Timing = REPORT, *, born_ms: int | None = None) -> int | None:
    """Name one schedule; up to where its ticks are settled."""
    [settled_ms] = store.name_schedules(client.session, [timing], born_ms=born_ms)[1]
    return settled_ms


def change(client: QueueClient, name: str = "report", **fields: str) -> None:
    """Change what Redis knows of a schedule."""
    key = client.keys.schedules()
    state = json.loads(client.redis.hget(key, name))
    client.redis.hset(key, name, json.dumps(state | fields))


def long_ago(client: QueueClient, ms: int, timing: Timing = REPORT, **more: str) -> int:
    """Name a schedule and put it back: as if it had been settled and seen ``ms`` ago."""
    past_ms = named(client, timing) - ms
    change(client, timing.name, **({"settled": str(past_ms), "seen": str(past_ms)} | more))
    return past_ms


def bodies(client: QueueClient, queue: str = "work") -> list[str]:
    return [message.body for message in client.peek_messages(queue, count=100)]


# --- a tick ---------------------------------------------------------------------------------------


def test_a_new_schedule_begins_now_and_has_sent_nothing(work):
    before = work.now_ms()
    settled_ms = named(work)
    assert before <= settled_ms <= work.now_ms()
    [state] = store.schedules(work.session)
    assert state.timing == REPORT
    assert (state.settled_ms, state.last_tick_ms, state.last_id) == (settled_ms, 0, "")
    assert (state.next_ms, state.paused) == (settled_ms // 1000 * 1000 + 1000, False)
    assert bodies(work) == []


def test_a_tick_sends_its_message_and_returns_its_position(work):
    settled_ms = long_ago(work, 5000)
    ticked = store.tick(
        work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a", headers={"x": "y"})]
    )
    assert (ticked.word, ticked.settled_ms) == ("sent", settled_ms + 1000)
    message = work.receive_message("work")
    assert (message.id, message.body, dict(message.headers)) == (ticked.id, "a", {"x": "y"})
    [state] = store.schedules(work.session)
    assert (state.last_tick_ms, state.last_id) == (settled_ms + 1000, ticked.id)


def test_a_tick_is_a_send_like_any_other(work):
    settled_ms = long_ago(work, 5000)
    work.set_queue_attributes("work", delay=60)
    listening = work.redis.pubsub()
    listening.subscribe(work.keys.channel("work"))
    assert listening.get_message(timeout=60)["type"] == "subscribe"
    store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
    assert listening.get_message(timeout=60)["data"] == b"1"
    listening.close()
    [figures] = work.queue_figures(["work"])
    assert (figures.delayed, figures.attributes.totalsent) == (1, 1)
    assert figures.attributes.hiddenmsgs == 1


def test_several_ticks_are_sent_in_their_order(work):
    settled_ms = long_ago(work, 5000)
    ticked = store.tick(
        work.session, REPORT, settled_ms, settled_ms + 3000, [Draft(body=text) for text in "abc"]
    )
    assert bodies(work) == ["a", "b", "c"]
    assert work.peek_messages("work", newest=True)[0].id == ticked.id


def test_a_tick_without_a_message_is_settled_all_the_same(work):
    settled_ms = long_ago(work, 5000)
    assert store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, []).word == "sent"
    assert (
        store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="late")]).word
        == "settled"
    )
    assert bodies(work) == []


def test_a_tick_that_is_settled_is_not_sent_again(work):
    settled_ms = long_ago(work, 5000)
    first = store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
    again = store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
    assert (again.word, again.settled_ms, again.id) == ("settled", settled_ms + 1000, first.id)
    assert bodies(work) == ["a"]


def test_a_caller_with_an_older_state_sends_nothing(work):
    settled_ms = long_ago(work, 5000)
    store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="1")])
    late = store.tick(work.session, REPORT, settled_ms, settled_ms + 2000, [Draft(body="1"), Draft(body="2")])
    assert (late.word, late.settled_ms) == ("settled", settled_ms + 1000)
    assert bodies(work) == ["1"]


def test_a_settled_tick_stays_settled(work):
    settled_ms = long_ago(work, 5000)
    ticked = store.tick(work.session, REPORT, settled_ms, settled_ms - 1000, [Draft(body="a")])
    assert (ticked.word, ticked.settled_ms) == ("settled", settled_ms)
    assert bodies(work) == []


def test_a_tick_that_is_not_due_by_the_servers_clock_is_refused(work):
    settled_ms = named(work)
    an_hour_ahead = settled_ms + 3_600_000
    ticked = store.tick(work.session, REPORT, settled_ms, an_hour_ahead, [Draft(body="a")])
    assert (ticked.word, ticked.settled_ms) == ("early", settled_ms)
    assert bodies(work) == []


def test_a_tick_of_another_timetable_is_refused(work):
    settled_ms = long_ago(work, 5000)
    named(work, Timing("report", "every 2 s", "", "work", "once"))
    assert store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")]).word == "other"
    assert bodies(work) == []


def test_a_tick_of_a_schedule_that_redis_has_lost_is_refused(work):
    settled_ms = long_ago(work, 5000)
    work.redis.delete(work.keys.schedules())
    assert (
        store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")]).word == "unknown"
    )
    assert bodies(work) == []


def test_a_queue_that_is_missing_changes_nothing(any_client):
    settled_ms = long_ago(any_client, 5000)
    with pytest.raises(QueueNotFound):
        store.tick(any_client.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
    any_client.create_queue("work")
    assert (
        store.tick(any_client.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")]).word
        == "sent"
    )


def test_a_message_that_is_too_long_changes_nothing(work):
    settled_ms = long_ago(work, 5000)
    with pytest.raises(MessageTooLong):
        store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="x" * 70_000)])
    assert store.schedules(work.session)[0].settled_ms == settled_ms


def test_a_paused_queue_takes_the_message(work):
    settled_ms = long_ago(work, 5000)
    work.pause_queue("work")
    assert store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")]).word == "sent"
    assert bodies(work) == ["a"]


def test_hostile_names_and_texts_come_back_as_they_are(work):
    timing = Timing('a"\\\u202e<b>\x1b', "every 1 s", "", "work", "once")
    settled_ms = long_ago(work, 5000, timing)
    assert (
        store.tick(work.session, timing, settled_ms, settled_ms + 1000, [Draft(body="a\0é")]).word == "sent"
    )
    assert bodies(work) == ["a\0é"]
    assert store.schedules(work.session)[0].timing == timing


def test_a_full_redis_refuses_the_tick_and_takes_it_later(own_redis):
    server = own_redis()
    with server.connect() as connection:
        client = QueueClient(connection)
        client.create_queue("work")
        settled_ms = long_ago(client, 5000)
        connection.config_set("maxmemory", "1mb")
        with pytest.raises(QueueFull):
            store.tick(client.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
        assert named(client) == settled_ms  # naming still works
        connection.config_set("maxmemory", "0")
        assert (
            store.tick(client.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")]).word
            == "sent"
        )


# --- many at once ---------------------------------------------------------------------------------


def _tick_all(client: QueueClient, settled_ms: int, count: int, start: threading.Barrier) -> Counter[str]:
    """Send ``count`` ticks of a second, as a worker does: from where the schedule is."""
    words: Counter[str] = Counter()
    start.wait(60)
    last_ms = settled_ms + count * 1000
    while settled_ms < last_ms:
        until_ms = settled_ms + 1000
        ticked = store.tick(client.session, REPORT, settled_ms, until_ms, [Draft(body=str(until_ms))])
        words[ticked.word] += 1
        settled_ms = ticked.settled_ms
    return words


def test_each_tick_is_sent_by_one_of_many_clients(any_client):
    clients, count = 8, 50
    any_client.create_queue("work")
    settled_ms = long_ago(any_client, count * 1000 + 5000)
    start = threading.Barrier(clients)
    with Threads(clients) as pool:
        runs = [pool.submit(_tick_all, any_client, settled_ms, count, start) for _ in range(clients)]
        words = sum((run.result(60) for run in runs), Counter())
    assert words["sent"] == count
    expected = [str(settled_ms + number * 1000) for number in range(1, count + 1)]
    assert bodies(any_client) == expected


def test_a_tick_whose_reply_is_lost_is_sent_once(redis_server, client):
    client.create_queue("work")
    settled_ms = long_ago(client, 20_000)
    with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        connection = redis.Redis.from_url(proxy.url, retry=None)
        cut_off = QueueClient(connection)
        for number in range(10):
            ticked = store.tick(
                cut_off.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body=str(number))]
            )
            # The first call has sent it, the repeat finds it settled.
            assert (ticked.word, ticked.settled_ms) == ("settled", settled_ms + 1000)
            settled_ms = ticked.settled_ms
        connection.close()
        assert proxy.rule.cut == 10
    assert bodies(client) == [str(number) for number in range(10)]


# --- naming ---------------------------------------------------------------------------------------


def test_naming_again_changes_nothing(work):
    settled_ms = long_ago(work, 5000)
    assert named(work) == settled_ms
    assert named(work, born_ms=0) == settled_ms


def test_another_queue_or_policy_does_not_restart_a_schedule(work):
    settled_ms = long_ago(work, 5000)
    moved = Timing("report", "every 1 s", "", "elsewhere", "all")
    assert named(work, moved) == settled_ms
    assert store.schedules(work.session)[0].timing == moved


@pytest.mark.parametrize(
    ("expression", "zone"), [("every 2 s", ""), ("0 3 * * *", "UTC"), ("every 1 s", "UTC")]
)
def test_another_timetable_begins_now_and_keeps_the_pause(work, expression, zone):
    settled_ms = long_ago(work, 5000)
    store.pause_schedule(work.session, "report")
    assert named(work, Timing("report", expression, zone, "work", "once")) > settled_ms
    [state] = store.schedules(work.session)
    assert (state.timing.expression, state.paused) == (expression, True)


def test_older_code_yields_to_newer_code_while_that_is_there(work):
    named(work)
    settled_ms = named(work, NEWER)
    assert named(work, born_ms=0) is None
    assert named(work, NEWER, born_ms=0) == settled_ms
    assert store.schedules(work.session)[0].timing == NEWER


@pytest.mark.parametrize("of_older", [{}, {"born": ""}], ids=["this release", "older release"])
def test_a_schedule_of_workers_that_have_left_is_taken_over_from_what_was_settled(work, of_older):
    left_ms = long_ago(work, LEFT_MS + 1000, NEWER, **of_older)
    assert named(work, born_ms=0) == left_ms
    assert store.schedules(work.session)[0].timing == REPORT


def test_a_release_that_is_deployed_again_continues_from_the_last_settled_tick(work):
    named(work)
    left_ms = long_ago(work, 5000, NEWER)
    assert named(work) == left_ms
    assert named(work, NEWER) == left_ms


def test_a_youngest_worker_that_was_thought_to_have_left_has_its_way_again(work):
    older_ms, newer_ms = work.now_ms() - 2000, work.now_ms() - 1000
    left_ms = long_ago(work, LEFT_MS + 1000, NEWER)
    change(work, born=str(newer_ms))
    assert named(work, born_ms=older_ms) == left_ms
    assert named(work, NEWER, born_ms=newer_ms) == left_ms
    assert named(work, born_ms=older_ms) is None


def test_a_schedule_that_is_not_named_any_more_is_forgotten(work):
    long_ago(work, FORGOTTEN_MS + 1000, Timing("gone", "every 1 s", "", "work", "once"))
    long_ago(work, FORGOTTEN_MS - 60_000, Timing("quiet", "every 1 s", "", "work", "once"))
    named(work)
    assert [state.name for state in store.schedules(work.session)] == ["quiet", "report"]


def test_its_own_schedules_are_not_forgotten_after_a_long_time_away(work):
    settled_ms = long_ago(work, FORGOTTEN_MS + 1000)
    assert named(work) == settled_ms


# --- pause ----------------------------------------------------------------------------------------


def test_a_paused_schedule_lets_its_ticks_pass(work):
    settled_ms = long_ago(work, 5000)
    store.pause_schedule(work.session, "report")
    ticked = store.tick(work.session, REPORT, settled_ms, settled_ms + 1000, [Draft(body="a")])
    assert (ticked.word, ticked.settled_ms) == ("paused", settled_ms + 1000)
    assert bodies(work) == []


def test_a_resumed_schedule_continues_from_now(work):
    settled_ms = long_ago(work, 3_600_000)
    store.pause_schedule(work.session, "report")
    [state] = store.schedules(work.session)
    assert state.paused
    assert state.next_ms > state.now_ms
    assert state.late_seconds == 0
    store.resume_schedule(work.session, "report")
    [state] = store.schedules(work.session)
    assert (state.paused, state.settled_ms > settled_ms + 3_500_000) == (False, True)


def test_resuming_what_is_not_paused_forgets_no_tick(work):
    settled_ms = long_ago(work, 5000)
    store.resume_schedule(work.session, "report")
    assert store.schedules(work.session)[0].settled_ms == settled_ms


@pytest.mark.parametrize("act", ["pause_schedule", "resume_schedule"])
def test_a_schedule_that_is_not_there_is_an_error(any_client, act):
    with pytest.raises(ScheduleNotFound):
        getattr(store, act)(any_client.session, "nothing")


# --- what the console reads -------------------------------------------------------------------------


def test_a_schedule_that_nobody_sees_to_is_late(work):
    long_ago(work, 10_000)
    [state] = store.schedules(work.session)
    assert 9 <= state.late_seconds < 60


def test_a_timetable_that_only_other_code_can_read_has_no_next_tick(work):
    named(work, Timing("report", "every full moon", "", "work", "once"))
    [state] = store.schedules(work.session)
    assert (state.next_ms, state.late_seconds) == (0, 0)
