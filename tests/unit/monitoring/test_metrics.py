"""Ended deliveries are counted once each, by their outcome, in minutes and longer spans."""

import json

import pytest

from queueing.broker.keys import Keys
from queueing.broker.leases import abandon
from queueing.broker.timings import BOUNDS_SECONDS, Histogram, tally
from queueing.client import QueueClient, sweep
from queueing.conf import Config
from queueing.monitoring.series import read_points
from queueing.monitoring.store import sample_queues, totals
from tests.support.waiting import eventually
from tests.unit.conftest import ended

KEY = Keys("rsmq").metrics("work")


def words(client: QueueClient) -> dict[str, int]:
    """The words that were ever counted, with how often."""
    counted = totals(client, ["work"])["work"].words
    return {word: count for word, count in counted.items() if count}


def run(delivery, event: str, *, ms: float = 3.0, waited_ms: float = 40.0, **more):
    """An outcome of a delivery that ran for so long after so long a wait."""
    started_ms = delivery.message.sent + waited_ms
    outcome = ended(delivery, event, started_ms=started_ms, due_ms=delivery.due_ms, **more)
    return type(outcome)(
        **{name: getattr(outcome, name) for name in outcome.__slots__} | {"finished_ms": started_ms + ms}
    )


def as_if_ago(client: QueueClient, minutes: int) -> None:
    """Move the counts of this minute ``minutes`` into the past."""
    minute, _, sums = client.redis.hget(KEY, "now").partition(b" ")
    client.redis.hset(KEY, "now", b"%d %b" % (int(minute) - minutes, sums))


def test_each_word_is_counted(any_client, hand):
    any_client.send_messages("work", list("abcde"))
    child = hand()
    one, two, three, four, five = child.claim().deliveries
    child.settle(run(one, "done"), run(two, "done"), run(three, "retrying"), ended(four, "released"))
    child.settle(run(five, "dead"))
    assert words(any_client) == {"done": 2, "retrying": 1, "released": 1, "dead": 1}
    [point] = read_points(any_client, "work", seconds=60, points=1)
    assert (point.done, point.retried, point.released, point.dead) == (2, 1, 1, 1)
    assert (point.run.count, point.wait.count) == (4, 4)
    assert point.failure_ratio == 0.5


def test_a_repeated_call_is_counted_once(any_client, hand, conf):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    one, two = child.claim().deliveries
    call = child.lease.settle([run(one, "done")])
    for _ in range(3):
        child.run(call)
    for _ in range(2):
        abandon(any_client.session, conf, "work", "a", started=[two.message.id], reason="killed")
    assert words(any_client) == {"done": 1, "abandoned": 1}


def test_refused_outcomes_are_counted_by_their_refusal(any_client, hand):
    any_client.send_messages("work", ["a", "b", "c"])
    child = hand()
    one, two, three = child.claim().deliveries
    any_client.delete_message("work", one.message.id)
    any_client.change_message_visibility("work", two.message.id, 0)
    any_client.receive_message("work")
    child.settle(run(one, "done"), run(two, "done"), run(three, "done"))
    assert words(any_client) == {"done": 1, "lease lost": 1, "gone": 1}
    [point] = read_points(any_client, "work", seconds=60, points=1)
    assert point.lease_lost == 2
    assert point.run.count == 3, "each of them ran"


def test_endings_that_no_worker_reports_are_counted(any_client, hand, conf):
    ids = any_client.send_messages("work", ["a", "b"])
    for child in ("one", "two", "three"):
        taken = [d.message.id for d in hand(child).claim().deliveries]
        abandon(
            any_client.session,
            conf,
            "work",
            child,
            started=[i for i in taken if i == ids[0]],
            reason="killed",
        )
    assert words(any_client) == {"abandoned": 2, "released": 1, "dead": 1}


def test_a_lease_that_ended_counts_as_abandoned(any_client, hand):
    any_client.send_message("work", "a")
    hand("frozen", Config(LEASE=0.05)).claim()
    other = hand("other")
    eventually(lambda: other.claim().deliveries)
    assert words(any_client) == {"abandoned": 1}


def test_times_are_those_of_runs_and_first_waits(any_client, hand):
    any_client.send_message("work", "a")
    child = hand()
    [first] = child.claim().deliveries
    child.settle(run(first, "retrying", ms=200, waited_ms=700))
    [again] = child.claim().deliveries
    child.settle(run(again, "done", ms=7000, waited_ms=60_000))
    counted = totals(any_client, ["work"])["work"]
    assert (counted.run.count, counted.wait.count) == (2, 1)
    assert counted.run.sum_seconds == pytest.approx(7.2)
    assert counted.wait.sum_seconds == pytest.approx(0.7, abs=0.01)
    assert 5 < counted.run.percentile(99) <= 10
    assert 0.1 < counted.run.percentile(50) <= 0.25


def test_a_delayed_message_has_waited_since_it_was_due(any_client, hand):
    any_client.send_message("work", "before")
    late = any_client.send_messages("work", ["x", "y"], delay=3600)
    due_ms = any_client.redis.zscore("rsmq:work", late[0]) - 3_600_000 + 500
    for id in late:
        any_client.redis.zadd("rsmq:work", {id: due_ms})
    any_client.send_message("work", "after")
    by_body = {d.message.body: d for d in eventually(lambda: claimed(hand(), 4)).values()}
    assert [by_body[body].due_ms for body in "xy"] == [due_ms, due_ms]
    for body in ("before", "after"):
        assert by_body[body].due_ms == by_body[body].message.sent


def claimed(child, count: int):
    """``count`` messages in one claim, once they are due."""
    if child.client.queue_figures(["work"])[0].ready < count:
        return None
    return {delivery.message.id: delivery for delivery in child.claim(count).deliveries}


def test_an_id_of_another_form_has_waited_since_its_score(any_client, hand):
    any_client.redis.zadd("rsmq:work", {"short": 1_700_000_000_000})
    any_client.redis.hset("rsmq:work:Q", "short", "body")
    [delivery] = hand().claim().deliveries
    assert delivery.due_ms == 1_700_000_000_000


def test_a_minute_that_is_over_is_kept_in_spans_of_each_length_and_for_ever(any_client, hand):
    child = hand()
    for minutes in (130, 12, 3, 0):
        any_client.send_message("work", "a")
        child.settle(run(child.claim().deliveries[0], "done"))
        if minutes:
            as_if_ago(any_client, minutes)
    assert words(any_client) == {"done": 4}
    counts = [point.done for point in read_points(any_client, "work", seconds=3600, points=60)]
    assert (len(counts), sum(counts), counts[-1]) == (60, 3, 1)
    assert counts[-4:-1].count(1) == 1
    for seconds in (86_400, 7 * 86_400, 30 * 86_400):
        assert sum(point.done for point in read_points(any_client, "work", seconds=seconds)) == 4
    names = {name[:1] for name in any_client.redis.hkeys(KEY)}
    assert names == {b"m", b"t", b"h", b"e", b"n"}


def test_old_counts_are_dropped_with_a_later_count(any_client, hand):
    seconds, _ = any_client.redis.time()
    minute = seconds // 60
    old = {f"m{minute - 100}", f"t{minute // 20 - 100}", f"h{minute // 120 - 100}", f"m{minute + 5000}"}
    kept = {f"m{minute - 50}", f"t{minute // 20 - 70}", f"e{minute // 480 - 90}", "total"}
    any_client.redis.hset(KEY, mapping=dict.fromkeys(old | kept, '{"done":1}'))
    any_client.redis.hset(KEY, "now", f'{minute - 20} {{"done":1}}')
    any_client.send_message("work", "a")
    child = hand()
    child.settle(run(child.claim().deliveries[0], "done"))
    names = {name.decode() for name in any_client.redis.hkeys(KEY)}
    assert kept <= names
    assert not old & names


def test_a_clock_that_is_set_back_a_little_continues_with_its_minute(any_client, hand):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    one, two = child.claim().deliveries
    child.settle(run(one, "done"))
    as_if_ago(any_client, -30)
    before = any_client.redis.hget(KEY, "now").split()[0]
    child.settle(run(two, "done"))
    assert any_client.redis.hget(KEY, "now").split()[0] == before
    assert words(any_client) == {"done": 2}


@pytest.mark.parametrize(
    "now",
    ["x", "5", "5 {", "5 []", '5 "x"', '5 {"done":"many","r1":null}', '5 {"done":1e999}', "9" * 40 + " {}"],
)
def test_a_hash_that_another_program_has_spoilt_stops_no_message_and_counts_again(any_client, hand, now):
    any_client.redis.hset(KEY, mapping={"now": now, "total": "[[", "last": "{}", "since": "x"})
    any_client.send_message("work", "a")
    child = hand()
    assert child.settle(run(child.claim().deliveries[0], "done")) == {}
    assert words(any_client)["done"] >= 1
    assert read_points(any_client, "work", seconds=3600)


def test_a_key_of_another_type_stops_no_message(any_client, hand):
    any_client.redis.set(KEY, "mine")
    any_client.send_message("work", "a")
    child = hand()
    assert child.settle(run(child.claim().deliveries[0], "done")) == {}
    assert any_client.get_queue_attributes("work").msgs == 0
    assert words(any_client) == {}
    sample_queues(any_client.session, ["work"])


def test_a_deleted_queue_deletes_its_counts(any_client, hand):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    one, two = child.claim().deliveries
    child.settle(run(one, "done"))
    assert any_client.redis.exists(KEY)
    any_client.delete_queue("work")
    assert not any_client.redis.exists(KEY)
    child.settle(run(two, "done"))
    assert not any_client.redis.exists(KEY), "what ends later is counted nowhere"


def test_the_sweeper_removes_what_was_counted_in_a_queue_that_another_program_has_deleted(any_client, hand):
    any_client.send_message("work", "a")
    child = hand()
    child.settle(run(child.claim().deliveries[0], "done"))
    any_client.redis.delete("rsmq:work:Q", "rsmq:work")
    any_client.redis.hset("rsmq:work:progress", "x", "1 0.5 ")
    sweep.sweep_lost_queues(any_client.session)
    assert not any_client.redis.exists(KEY, "rsmq:work:progress")


def test_a_repeated_exchange_counts_each_once(any_client, hand):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    [one] = child.claim(1).deliveries
    calls = [child.lease.settle([run(one, "done")]), child.lease.claim(1, suspects="take")]
    any_client.session.call_each(calls)
    any_client.session.call_each(calls)
    assert words(any_client) == {"done": 1}


def test_percentiles_come_from_the_buckets():
    counts = [0] * (len(BOUNDS_SECONDS) + 1)
    counts[BOUNDS_SECONDS.index(0.1)] = 90
    counts[BOUNDS_SECONDS.index(10.0)] = 9
    counts[-1] = 1
    histogram = Histogram(counts, 50.0)
    assert histogram.percentile(45) == pytest.approx(0.075)
    assert histogram.percentile(95) == pytest.approx(5 + 5 * 5 / 9)
    assert histogram.percentile(100) == 86_400
    assert histogram.sum_seconds / histogram.count == 0.5
    assert Histogram().percentile(50) is None


def test_a_tally_of_what_never_began_is_empty(any_client, hand):
    any_client.send_message("work", "a")
    [delivery] = hand().claim().deliveries
    assert tally([ended(delivery, "released")]) == ""
    sums = json.loads(tally([run(delivery, "done", ms=-5, waited_ms=-5)]))
    assert sums == {"r0": 1, "w0": 1, "run_ms": 0.0, "wait_ms": 0.0}


def test_an_evenly_busy_queue_takes_no_more_than_is_promised(client, hand):
    seconds, _ = client.redis.time()
    sums = json.dumps(
        {"done": 10_000, "retrying": 100, "dead": 10, "sent": 10_000, "left": 10_000, "run_ms": 123456.789}
        | {"wait_ms": 123456.789, "max_ready": 500, "max_running": 32, "max_latency_ms": 12345}
        | {f"{kind}{bucket}": 1000 for kind in "rw" for bucket in range(3, 8)}
    )
    for name, minutes, kept in (("m", 1, 85), ("t", 20, 79), ("h", 120, 91), ("e", 480, 97)):
        number = seconds // 60 // minutes
        client.redis.hset(KEY, mapping={f"{name}{number - i}": sums for i in range(kept)})
    assert client.redis.memory_usage(KEY, samples=0) < 150_000
