"""Limits over all workers: what is limited waits in the queue, and the end of a run starts the next one."""

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from queueing.broker.batches import BATCH
from queueing.broker.leases import QueueLease, abandon, extend, free_lost_slots
from queueing.client import bulk, sweep
from queueing.messages import Draft
from queueing.policies import Policy, unique
from queueing.policies.limits import Limit, headers
from tests.support.waiting import eventually
from tests.unit.conftest import ended

ONE = Limit(concurrency=1)


class Limited:
    """The queue ``work``, and messages with a limit per key."""

    def __init__(self, client, conf):
        self.client, self.conf = client, conf

    def send(self, *keys, limit=ONE, **options):
        return [
            self.client.send_message("work", key, headers=headers(limit, "test.job", key), **options)
            for key in keys
        ]

    def running(self):
        """How many messages of each key workers hold, by their leases."""
        held = [one for one in self.client.peek_messages("work", count=1000) if one.state == "running"]
        return Counter(one.body for one in held)

    def counts(self):
        keys = self.client.keys
        return self.client.redis.zcard(keys.slots()), self.client.redis.zcard(keys.line("work"))

    def deleted_by_rsmq(self, *ids):
        for id in ids:
            self.client.redis.zrem(self.client.keys.schedule("work"), id)
            self.client.redis.hdel(self.client.keys.attributes("work"), id, f"{id}:rc", f"{id}:fr")

    def dies(self, child):
        return abandon(self.client.session, self.conf, "work", child, started=[], reason="it was killed")


@pytest.fixture
def limited(any_client, hand, conf):
    hand("a")  # creates the queue
    return Limited(any_client, conf)


def ids(batch):
    return [delivery.message.id for delivery in batch.deliveries]


def bodies(batch):
    return [delivery.message.body for delivery in batch.deliveries]


def test_one_message_of_a_key_runs_at_a_time_and_other_keys_run_beside_it(limited, hand):
    a, b = hand("a"), hand("b")
    limited.send("x", "x", "y", "x")
    assert bodies(a.claim()) == ["x", "y"]
    assert bodies(b.claim()) == []
    assert limited.running() == {"x": 1, "y": 1}
    assert limited.counts() == (2, 2)


def test_the_end_of_a_run_starts_the_oldest_that_waits(limited, hand):
    a, b = hand("a"), hand("b")
    first, second, third = limited.send("x", "x", "x")
    [delivery] = a.claim().deliveries
    assert delivery.message.id == first
    a.settle(ended(delivery, "done"))
    [delivery] = b.claim().deliveries
    assert delivery.message.id == second
    b.settle(ended(delivery, "dead"))
    [delivery] = a.claim().deliveries
    assert delivery.message.id == third
    a.settle(ended(delivery, "done"))
    assert limited.counts() == (0, 0)


def test_a_newer_message_does_not_overtake_one_that_waits(limited, hand):
    a = hand("a")
    first, second = limited.send("x", "x")
    [delivery] = a.claim().deliveries
    a.settle(ended(delivery, "done"))
    [third] = limited.send("x")
    [delivery] = a.claim(1).deliveries
    assert delivery.message.id == second
    a.settle(ended(delivery, "done"))
    assert ids(a.claim()) == [third]


def test_a_higher_priority_comes_first_among_those_that_wait(limited, hand):
    a = hand("a")
    limited.send("x")
    [delivery] = a.claim().deliveries
    plain = limited.send("x")
    draft = Draft(body="x", headers=headers(ONE, "test.job", "x"), priority=50)
    urgent = limited.client.send_messages("work", [draft])
    assert ids(a.claim()) == []
    a.settle(ended(delivery, "done"))
    [delivery] = a.claim().deliveries
    assert [delivery.message.id] == urgent
    a.settle(ended(delivery, "done"))
    assert ids(a.claim()) == plain


def test_a_message_that_came_due_by_itself_starts_before_those_behind_it(limited, hand):
    a, two = hand("a"), Limit(concurrency=2)
    _, _, first, second, _ = limited.send(*["x"] * 5, limit=two)
    running = a.claim().deliveries
    assert a.claim().deliveries == []
    # The line does so after ten seconds, while no worker reads the queue.
    schedule = limited.client.keys.schedule("work")
    limited.client.redis.zadd(schedule, {first: limited.client.now_ms()})
    a.settle(*(ended(delivery, "done") for delivery in running))
    assert [ids(a.claim(1)) for _ in range(2)] == [[first], [second]]


def test_a_suspect_that_needs_an_idle_child_does_not_make_those_behind_it_due_again_and_again(limited, hand):
    a, b, client = hand("a"), hand("b"), limited.client
    suspect, other = limited.send("x", "x", limit=Limit(concurrency=2))
    for _ in range(2):
        assert suspect in ids(b.claim(1))
        abandon(client.session, limited.conf, "work", "b", started=[suspect], reason="it died")
    # Both wait in the line for a while, and come due by themselves.
    slots = client.keys.slots()
    client.redis.zadd(slots, {f'test.job "x"\1{"i" * 32} {rc}': 0 for rc in range(2)})
    a.claim()
    client.redis.delete(slots)
    client.redis.zadd(client.keys.schedule("work"), {suspect: 1000, other: 2000})
    assert [a.claim(1, suspects="pass").has_more for _ in range(2)] == [True, False]
    assert ids(a.claim(1)) == [suspect]
    assert ids(b.claim(1)) == [other]


def test_several_slots_are_filled_after_one_settle(limited, hand):
    a, b = hand("a"), hand("b")
    three = Limit(concurrency=3)
    limited.send(*"xxxxxxx", limit=three)
    batch = a.claim()
    assert len(batch.deliveries) == 3
    assert not b.claim().deliveries
    a.settle(*(ended(delivery, "done") for delivery in batch.deliveries))
    batch = b.claim()
    assert len(batch.deliveries) == 3
    assert limited.counts() == (3, 1)
    assert limited.dies("b") == 3
    taken = [*a.claim().deliveries]
    taken += a.claim().deliveries
    assert len(taken) == 3
    assert limited.running() == {"x": 3}


@pytest.mark.parametrize("event", ["retrying", "released", "done", "dead", "cancelled"])
def test_every_end_of_a_delivery_frees_its_slot(limited, hand, event):
    a = hand("a")
    limited.send("x", "x")
    [delivery] = a.claim().deliveries
    a.settle(ended(delivery, event, delay_ms=60000))
    assert limited.counts()[0] == 0
    assert bodies(a.claim()) == ["x"]


def test_a_killed_child_gives_its_slots_back_with_its_lease(limited, hand):
    a, b = hand("a"), hand("b")
    limited.send("x", "x")
    assert len(a.claim().deliveries) == 1
    assert not b.claim().deliveries
    # Its lease ends after two seconds, and nobody reports its death.
    eventually(lambda: len(b.claim().deliveries) == 1)
    assert limited.running() == {"x": 1}
    assert limited.counts() == (1, 1)


def test_a_message_that_another_receiver_takes_over_frees_its_slot_at_the_next_extension(limited, hand, conf):
    a = hand("a")
    [id, _] = limited.send("x", "x")
    a.claim()
    limited.client.change_message_visibility("work", id, 0)
    assert limited.client.receive_message("work").id == id
    assert extend(limited.client.session, conf, {"work": ["a"]})["work"].lost == [id]
    assert limited.counts()[0] == 0


def test_a_repeated_claim_takes_no_second_slot(limited, hand):
    a = hand("a")
    limited.send("x", "x", limit=Limit(concurrency=2, rate="100/s"))
    call = a.lease.claim(1, suspects="take")
    assert ids(a.lease.read_claim(a.run(call))) == ids(a.lease.read_claim(a.run(call)))
    assert limited.counts()[0] == 1


def test_those_that_wait_stay_waiting_if_the_first_of_them_is_deleted_in_rsmq_s_way(limited, hand):
    a = hand("a")
    _, second, third = limited.send("x", "x", "x")
    [delivery] = a.claim().deliveries
    a.claim()
    a.settle(ended(delivery, "done"))
    limited.deleted_by_rsmq(second)
    batch = a.claim()
    # The next one comes due by itself, at most ten seconds later.
    assert not batch.deliveries
    assert 0 < batch.next_due_seconds <= 10
    limited.client.change_message_visibility("work", third, 0)
    assert ids(a.claim()) == [third]


def test_a_message_that_waits_is_not_read_by_each_claim(limited, hand):
    a = hand("a")
    limited.send(*["x"] * 60)
    other = limited.client.send_message("work", "other")
    assert bodies(a.claim(10)) == ["x"]
    assert ids(a.claim(10)) == [other]
    waiting = [
        one.due_ms for one in limited.client.peek_messages("work", count=100) if one.state == "delayed"
    ]
    assert (len(waiting), len(set(waiting))) == (59, 59)
    assert 5000 < min(waiting) - limited.client.now_ms() <= 10_000


# Fakeredis counts no commands.
@pytest.mark.parametrize("any_client", ["client"], indirect=True, ids=["redis"])
def test_ten_thousand_keys_cost_no_scan(limited, hand):
    redis = limited.client.redis
    redis.zadd(limited.client.keys.slots(), {f"test.job {key}\1id 1": 0 for key in range(10_000)})
    redis.zadd(limited.client.keys.line("work"), {f"test.job {key}\1100\1id": 0 for key in range(10_000)})
    a = hand("a")
    limited.send(*map(str, range(500)), limit=Limit(concurrency=2))
    redis.config_resetstat()
    a.claim(100)
    stats = redis.info("commandstats")
    assert {name for name in stats if "scan" in name or name == "cmdstat_zrange"} == set()


def test_a_rate_moves_a_message_to_the_time_of_its_start(limited, hand):
    a = hand("a")
    limited.send("x", "x", "x", limit=Limit(rate="1/min"))
    [delivery] = a.claim(1).deliveries
    a.settle(ended(delivery, "done"))
    batch = a.claim()
    assert not batch.deliveries
    assert 55 < batch.next_due_seconds <= 60
    second, third = [one for one in limited.client.peek_messages("work") if one.state == "delayed"]
    assert 55_000 < third.due_ms - second.due_ms <= 61_000


def test_a_rate_is_kept_and_used_up(limited, hand):
    a = hand("a")
    limited.send(*["x"] * 30, limit=Limit(rate="20/s"))
    starts = []
    until = time.monotonic() + 60
    while len(starts) < 30 and time.monotonic() < until:
        batch = a.claim()
        starts += [batch.now_ms] * len(batch.deliveries)
        if batch.deliveries:
            a.settle(*(ended(delivery, "done") for delivery in batch.deliveries))
        elif batch.next_due_seconds:
            time.sleep(min(batch.next_due_seconds, 1))
    assert len(starts) == 30
    for start in starts:
        assert sum(start <= other < start + 1000 for other in starts) <= 22
    assert starts[-1] - starts[0] >= 1300
    assert limited.counts() == (0, 0)


def test_a_backlog_that_is_deleted_leaves_no_debt_of_its_rate(limited, hand):
    a = hand("a")
    limited.send(*["x"] * 50, limit=Limit(rate="1/s"))
    a.claim()
    a.claim()
    limited.client.purge_queue("work")
    limited.send("x", limit=Limit(rate="1/s"))
    eventually(lambda: a.claim().deliveries)


def test_rates_that_limit_nothing_any_more_are_forgotten_without_a_further_start(limited, hand, conf):
    a, rates = hand("a"), limited.client.keys.rates()
    limited.send(*map(str, range(30)), limit=Limit(rate="100/s"))
    a.settle(*(ended(delivery, "done") for delivery in a.claim(30).deliveries))
    limited.send("slow", "slow", limit=Limit(rate="1/h"))
    a.claim()
    assert limited.client.redis.zcard(rates) > 1

    def left():
        free_lost_slots(limited.client.session, conf)
        return limited.client.redis.zrange(rates, 0, -1)

    [key] = eventually(lambda: len(found := left()) == 1 and found)
    assert b"slow" in key
    assert not a.claim().deliveries


@pytest.mark.parametrize("of", ["the queue", "a key"])
@pytest.mark.parametrize("cause", ["a higher rate", "a clock that was set back"])
def test_a_start_that_was_far_away_does_not_stop_the_messages(limited, hand, of, cause):
    a, rates = hand("a"), limited.client.keys.rates()

    def send(rate):
        a.lease.limit = Limit(rate=rate).of_key("queue:work") if of == "the queue" else ""
        return limited.send("x", limit=Limit(rate=rate) if of == "a key" else Limit())

    send("1/h" if cause == "a higher rate" else "10/s")
    assert len(a.claim().deliveries) == 1
    [key] = limited.client.redis.zrange(rates, 0, -1)
    if cause == "a clock that was set back":
        limited.client.redis.zincrby(rates, 3600 * 10**6, key)
    sent = send("10/s")
    assert ids(a.claim()) == []
    assert eventually(lambda: ids(a.claim())) == sent


def test_a_queue_has_a_limit_for_messages_of_all_programs(limited, hand):
    a, b = hand("a"), hand("b")
    for child in (a, b):
        child.lease.limit = Limit(concurrency=2).of_key("queue:work")
    for _ in range(5):
        limited.client.send_message("work", "plain")
    batch = a.claim()
    assert len(batch.deliveries) == 2
    held_back = b.claim()
    assert (held_back.deliveries, held_back.has_more) == ([], False)
    a.settle(ended(batch.deliveries[0], "done"))
    assert len(b.claim().deliveries) == 1
    limited.dies("a")
    assert len(b.claim().deliveries) == 1
    assert limited.running() == {"plain": 2}


def test_a_queue_with_a_rate_reports_when_the_next_message_may_start(limited, hand):
    a = hand("a")
    a.lease.limit = Limit(rate="1/min").of_key("queue:work")
    for _ in range(3):
        limited.client.send_message("work", "plain")
    assert len(a.claim().deliveries) == 1
    batch = a.claim()
    assert not batch.deliveries
    assert 55 < batch.next_due_seconds <= 60


def test_a_deleted_queue_leaves_no_slots(limited, hand):
    a = hand("a")
    limited.send("x", "x")
    a.claim()
    a.claim()
    limited.client.delete_queue("work")
    assert limited.counts() == (0, 0)


def test_a_plain_queue_has_none_of_the_keys(limited, hand):
    a = hand("a")
    limited.client.send_message("work", "plain")
    [delivery] = a.claim().deliveries
    assert b"slots" not in limited.client.redis.hget(limited.client.keys.held(), a.lease.name)
    a.settle(ended(delivery, "done"))
    keys = limited.client.keys
    assert limited.client.redis.exists(keys.slots(), keys.rates(), keys.line("work")) == 0


@pytest.mark.parametrize(
    "text", ["", "3", "x y z", "1 0 ", "99999999999 0 key", "1 0 ke\1y", "-1 -1 key", "1.5 0 key"]
)
def test_a_header_of_another_program_that_is_not_a_limit_limits_nothing(limited, hand, text):
    a = hand("a")
    for _ in range(3):
        limited.client.send_message("work", "text", headers={"queueing-limit": text})
    assert len(a.claim().deliveries) == 3


def test_a_later_request_puts_off_a_unique_message_that_waits_for_its_limit(limited, hand):
    def request(key, **more):
        unique_key = unique.headers(Policy(unique="until_started", on_conflict="replace"), "job", [key], {})
        every = {**headers(ONE, "test.job"), **unique_key}
        return limited.client.send_message("work", key, headers=every, **more)

    request("x")
    put_off = request("y")
    request("z")
    [running] = hand("a").claim().deliveries
    assert request("y", delay_ms=3_600_000) == put_off
    hand("a").settle(ended(running, "done"))
    assert bodies(hand("b").claim()) == ["z"]
    message = limited.client.peek_message("work", put_off)
    assert message.due_ms - message.sent > 3_590_000


@pytest.mark.parametrize(("key", "delay_ms"), [("", 3_600_000), ("other", None)])
def test_one_behind_a_message_that_a_later_request_takes_out_of_its_line_starts(limited, hand, key, delay_ms):
    def request(body, key="", **more):
        unique_key = unique.headers(Policy(unique="until_started", on_conflict="replace"), "job", [body], {})
        every = {**headers(ONE, "test.job", key), **unique_key}
        return limited.client.send_message("work", body, headers=every, **more)

    a = hand("a")
    request("x")
    first = request("y")
    request("z")
    [running] = a.claim().deliveries
    a.settle(ended(running, "done"))
    assert request("y", key, delay_ms=delay_ms) == first
    assert sorted(bodies(a.claim())) == (["y", "z"] if key else ["z"])


def test_a_message_that_has_got_another_limit_does_not_hold_up_those_behind_it(limited, hand):
    client, a = limited.client, hand("a")
    limited.send("x")
    [running] = a.claim().deliveries
    changed, other = limited.send("x", "x")
    assert not a.claim().deliveries
    client.redis.hset(client.keys.headers("work"), changed, json.dumps(headers(ONE, "test.job", "y")))
    a.settle(ended(running, "done"))
    assert ids(a.claim()) == [changed, other]


def received_and_in_line(limited, a):
    """A message that a foreign receive has counted waits for the slot of another one. Returns its id, and the
    delivery of the other one.
    """
    [first] = limited.send("x")
    limited.client.receive_message("work", vt=0)
    limited.client.change_message_visibility("work", first, 3600)
    limited.send("x")
    [running] = a.claim().deliveries
    limited.client.change_message_visibility("work", first, 0)
    assert not a.claim().deliveries
    return first, running


def test_a_message_that_another_program_let_time_out_keeps_its_place_in_line(limited, hand):
    client, a = limited.client, hand("a")
    first, running = received_and_in_line(limited, a)
    limited.send("x")
    assert not a.claim().deliveries
    assert limited.counts() == (1, 2)
    a.settle(ended(running, "done"))
    [delivery] = a.claim().deliveries
    assert delivery.message.id == first
    a.settle(ended(delivery, "done"))
    assert not client.redis.hexists(client.keys.ends("work"), first)


def test_a_message_in_line_that_another_program_let_time_out_can_be_cancelled(limited, hand):
    first, _ = received_and_in_line(limited, hand("a"))
    assert limited.client.cancel_message("work", first) == "cancelled"


def test_a_message_in_line_that_another_program_takes_is_not_started(limited, hand):
    client, a = limited.client, hand("a")
    first, running = received_and_in_line(limited, a)
    # RSMQ's own client knows no line.
    client.redis.hincrby(client.keys.attributes("work"), f"{first}:rc", 1)
    client.redis.zadd(client.keys.schedule("work"), {first: client.now_ms() + 3_600_000})
    a.settle(ended(running, "done"))
    assert not a.claim().deliveries


def test_a_message_that_waits_for_its_limit_can_be_put_off(limited, hand):
    a = hand("a")
    _, put_off, _ = limited.send("x", "x", "x")
    [running] = a.claim().deliveries
    hand("b").claim()
    limited.client.change_message_visibility("work", put_off, 3600)
    a.settle(ended(running, "done"))
    [other] = a.claim().deliveries
    a.settle(ended(other, "done"))
    assert not a.claim().deliveries
    message = limited.client.peek_message("work", put_off)
    assert message.due_ms - message.sent > 3_590_000


def test_a_slot_that_another_queue_frees_starts_the_first_that_waits(limited, hand, conf):
    limited.client.create_queue("other")
    other = QueueLease(limited.client.session, conf, "c", "other")

    def claim_other():
        return other.read_claim(limited.client.session.call(other.claim(1, suspects="pass"))).deliveries

    a = hand("a")
    limited.send("x")
    [running] = a.claim().deliveries
    limited.client.send_message("other", "x", headers=headers(ONE, "test.job", "x"))
    assert claim_other() == []
    a.settle(ended(running, "done"))
    [running] = claim_other()
    limited.client.session.call(other.settle([ended(running, "done")]))
    assert limited.client.redis.exists(limited.client.keys.slots(), limited.client.keys.waits()) == 0


def test_a_queue_with_a_backlog_goes_before_its_sibling_for_low_priorities(limited, hand, conf):
    client, a = limited.client, hand("a")
    client.create_queue("work-low")
    low = QueueLease(client.session, conf, "c", "work-low")
    limited.send(*["x"] * 3)
    [running] = a.claim(1).deliveries
    client.send_message("work-low", "x", headers=headers(ONE, "test.job", "x"))
    client.session.call(low.claim(1, suspects="pass"))
    for _ in range(2):
        a.settle(ended(running, "done"))
        [running] = a.claim(1).deliveries


@pytest.mark.parametrize("has_worker", [False, True])
def test_two_queues_with_backlogs_of_one_key_take_turns(limited, hand, conf, has_worker):
    client, a = limited.client, hand("a")
    client.create_queue("other")
    other = QueueLease(client.session, conf, "c", "other")

    def claim_other():
        return other.read_claim(client.session.call(other.claim(1, suspects="pass"))).deliveries

    limited.send(*["x"] * 20)
    [running] = a.claim(1).deliveries
    client.send_message("other", "x", headers=headers(ONE, "test.job", "x"))
    assert claim_other() == []
    a.settle(ended(running, "done"))
    assert a.claim(1).deliveries == []
    if has_worker:
        [running] = claim_other()
        client.session.call(other.settle([ended(running, "done")]))
    # The rest does not wait for a queue that nobody serves any more, nor is it slow.
    began = time.monotonic()
    for _ in range(19):
        [running] = eventually(lambda: a.claim(1).deliveries)
        a.settle(ended(running, "done"))
    assert 0.05 < time.monotonic() - began < 5
    assert limited.counts() == (0, 0)


@pytest.mark.parametrize("is_freed", [False, True])
def test_a_deleted_queue_waits_for_no_limit(limited, hand, conf, is_freed: bool):
    limited.client.create_queue("other")
    other = QueueLease(limited.client.session, conf, "c", "other")
    a = hand("a")
    limited.send("x")
    [running] = a.claim().deliveries
    limited.client.send_message("other", "x", headers=headers(ONE, "test.job", "x"))
    limited.client.session.call(other.claim(1, suspects="pass"))
    if is_freed:
        a.settle(ended(running, "done"))
    waits = limited.client.keys.waits()
    assert limited.client.redis.zcard(waits) == 1
    limited.client.delete_queue("other")
    assert not limited.client.redis.exists(waits)


def test_a_slot_in_a_queue_that_nobody_serves_any_more_is_freed_after_its_lease(limited, hand, conf):
    free_lost_slots(limited.client.session, conf)
    limited.client.create_queue("unserved")
    limited.client.send_message("unserved", "x", headers=headers(ONE, "test.job", "x"))
    lost = QueueLease(limited.client.session, conf, "lost", "unserved")
    limited.client.session.call(lost.claim(1, suspects="pass"))
    limited.send("x")
    assert not hand("a").claim().deliveries

    def claimed():
        free_lost_slots(limited.client.session, conf)
        return hand("a").claim().deliveries

    eventually(claimed)


@pytest.mark.parametrize("hold", ["a limit", "a pause"])
def test_a_claim_reports_that_its_queue_is_held_back(limited, hand, conf, hold):
    limited.client.send_messages("work", ["x", "y"])
    conf = replace(conf, LIMITS={"work": {"concurrency": 1}})
    hand("a", conf).claim(1)
    if hold == "a pause":
        limited.client.pause_queue("work")
    assert hand("b", conf).claim(1).is_held_back


def test_a_sweep_forgets_the_places_of_messages_that_are_gone(limited, hand):
    a = hand("a")
    waiting = limited.send("x", "x", "y", "y")[1::2]
    first, other = a.claim().deliveries
    a.settle(ended(first, "done"), ended(other, "done"))
    limited.deleted_by_rsmq(*waiting)
    assert limited.counts() == (0, 2)
    # Their headers are forgotten, too.
    assert sum(found.orphans for found in sweep.sweep(limited.client.session, "work")) == 4
    assert limited.counts() == (0, 0)


def purge_one(client, id):
    def stop(*_):
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "STEP", 1)
        with pytest.raises(InterruptedError):
            client.purge_queue("work", progress=stop)


def move_one(client, id):
    client.create_queue("other")
    return client.move_messages("work", "other", ids=[id])


def expire_one(client, id):
    client.set_retention("work", 1)
    eventually(lambda: sum(found.expired for found in sweep.sweep(client.session, "work")))
    client.set_retention("work", None)


def wear_out_one(client, id):
    client.redis.hset(client.keys.attributes("work"), f"{id}:rc", 1)
    client.set_redrive_policy("work", 1)


def sweep_one(client, id):
    wear_out_one(client, id)
    assert sum(found.buried for found in sweep.sweep(client.session, "work")) == 1


#: The ways in which a message leaves the line of its limit.
LEAVES = {
    "delete": lambda client, id: client.delete_message("work", id),
    "delete many": lambda client, id: client.delete_messages("work", [id]),
    "change the visibility": lambda client, id: client.change_message_visibility("work", id, 3600),
    "change many visibilities": lambda client, id: client.change_visibilities("work", [id], 3600),
    "cancel": lambda client, id: client.cancel_message("work", id),
    "purge": purge_one,
    "move": move_one,
    "expire": expire_one,
    "receive": lambda client, id: client.receive_message("work"),
    "pop": lambda client, id: client.pop_message("work"),
    "bury": sweep_one,
    "bury by a claim": wear_out_one,
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
def test_the_next_of_a_line_starts_when_the_first_has_left(limited, hand, leave):
    a = hand("a")
    _, first, second = limited.send("x", "x", "x")
    [delivery] = a.claim().deliveries
    a.claim()
    a.settle(ended(delivery, "done"))
    leave(limited.client, first)
    batch = a.claim()
    if leave is wear_out_one:
        assert (batch.deliveries, batch.has_more) == ([], True)
        batch = a.claim()
    assert ids(batch) == [second]
    assert limited.counts() == (1, 0)


@pytest.mark.parametrize("extends", ["the keeper", "a claim"])
@pytest.mark.parametrize("way", ["delete many", "change many visibilities", "move", "pop"])
def test_the_next_of_a_line_starts_when_a_message_that_runs_is_lost(limited, hand, conf, way, extends):
    running, waiting = limited.send("x", "x")
    a = hand("a")
    a.claim()
    if way != "delete many":
        limited.client.change_message_visibility("work", running, 0)
    if way == "change many visibilities":
        assert limited.client.receive_message("work", vt=3600).id == running
    else:
        LEAVES[way](limited.client, running)
    if extends == "the keeper":
        assert extend(limited.client.session, conf, {"work": ["a"]})["work"].lost == [running]
    else:
        # A claim extends its own lease, even if it has ended.
        limited.client.redis.zadd(limited.client.keys.leases("work"), {a.lease.name: 0})
    assert ids(a.claim()) == [waiting]


def test_a_slot_of_a_deleted_queue_starts_the_first_that_waits_in_another(limited, hand, conf):
    limited.client.create_queue("other")
    other = QueueLease(limited.client.session, conf, "c", "other")
    limited.client.send_message("other", "x", headers=headers(ONE, "test.job", "x"))
    limited.client.session.call(other.claim(1, suspects="pass"))
    [waiting] = limited.send("x")
    assert not hand("a").claim().deliveries
    limited.client.delete_queue("other")
    assert ids(hand("a").claim()) == [waiting]


@pytest.mark.parametrize("limit", [ONE, Limit(rate="6/min")], ids=str)
def test_those_behind_cancelled_messages_move_up(limited, hand, limit):
    running, *others = limited.send(*["x"] * 30, limit=limit)
    a = hand("a")
    [delivery] = a.claim().deliveries
    for _ in range(4):
        assert a.claim().deliveries == []
    a.settle(ended(delivery, "done"))
    assert limited.counts()[1] == len(others)
    assert set(limited.client.cancel_messages("work", others[:20])) == {"cancelled"}
    assert limited.counts()[1] == len(others) - 20
    first = limited.client.peek_message("work", others[20])
    assert (first.due_ms or 0) <= limited.client.now_ms() + 10_000
    if limit == ONE:
        assert ids(a.claim()) == [first.id]


def test_the_last_of_a_line_is_cancelled_and_leaves_nothing(limited, hand):
    running, waiting = limited.send("x", "x")
    [delivery] = hand("a").claim().deliveries
    limited.client.cancel_message("work", waiting)
    hand("a").settle(ended(delivery, "done"))
    keys = limited.client.keys
    assert limited.counts() == (0, 0)
    assert not limited.client.redis.exists(keys.waits(), keys.line("work"))


@pytest.mark.parametrize("frees", ["this queue", "another queue"])
def test_a_sweep_forgets_limits_for_which_no_message_waits_any_more(limited, hand, frees):
    client = limited.client
    waiting = limited.send("x", "x", "y")[1]
    delivery, other = hand("a").claim().deliveries
    still_waiting = limited.send("y")
    assert hand("b").claim().deliveries == []
    limited.deleted_by_rsmq(waiting)
    if frees == "another queue":
        # It marks the entry for the next claim of this queue.
        key = headers(ONE, "test.job", "x")["queueing-limit"].split(" ", 2)[2]
        client.redis.zrem(client.keys.waits(), f"{key}\1work")
        client.redis.zadd(client.keys.waits(), {f"\1work\1{key}": 0})
    assert client.redis.zcard(client.keys.waits()) == 2
    for queue in "elsewhere", "work":
        list(sweep.sweep(client.session, queue))
    [left] = client.redis.zrange(client.keys.waits(), 0, -1)
    assert b'"y"' in left
    hand("a").settle(ended(delivery, "done"), ended(other, "done"))
    assert ids(hand("b").claim()) == still_waiting


@pytest.mark.parametrize("is_of_queue", [False, True])
@pytest.mark.parametrize("is_nested", [False, True])
def test_members_of_a_cancelled_batch_leave_without_a_start(limited, hand, conf, is_of_queue, is_nested):
    client, limit = limited.client, Limit() if is_of_queue else Limit(rate="1/h")
    a = hand("a", replace(conf, LIMITS={"work": {"rate": "1/h"}}) if is_of_queue else conf)
    [first, *members] = [
        client.send_message("work", "x", headers={**headers(limit, "test.job", "x"), BATCH: "member"})
        for _ in range(20)
    ]
    assert ids(a.claim()) == [first]
    records = {"member": '{"parent": "outer"}', "member done": 0, "outer done": 0, "outer recalled": 1}
    if not is_nested:
        records["member recalled"] = records.pop("outer recalled")
    client.redis.hset(client.keys.batches(), mapping=records)
    # The next start is due, as an hour later.
    client.redis.delete(client.keys.rates())
    client.redis.zadd(client.keys.schedule("work"), {members[0]: 1})
    left = []
    for _ in members:
        batch = a.claim()
        left += ids(batch)
        a.settle(*(ended(delivery, "cancelled") for delivery in batch.deliveries))
    assert sorted(left) == sorted(members)
    [last] = limited.send("x", limit=limit)
    assert ids(a.claim()) == [last]
