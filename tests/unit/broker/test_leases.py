"""Claim, settle, extend, abandon: what the scripts promise, with the same call repeated at will."""

import json
import secrets

import pytest

from queueing.broker import outbox
from queueing.broker.keys import Keys
from queueing.broker.leases import abandon, extend
from queueing.conf import Config
from tests.support.waiting import eventually
from tests.unit.conftest import ended

KEYS = Keys("rsmq")


def queue_fields(client):
    """Everything in the queue's hash that belongs to a message."""
    attributes = {b"vt", b"delay", b"maxsize", b"created", b"modified", b"totalsent", b"totalrecv"}
    return set(client.redis.hkeys(KEYS.attributes("work"))) - attributes


def test_a_claim_leases_in_order_and_counts(any_client, hand):
    ids = any_client.send_messages("work", ["a", "b", "c"])
    batch = hand().claim(2)
    assert [delivery.message.id for delivery in batch.deliveries] == ids[:2]
    assert [delivery.message.rc for delivery in batch.deliveries] == [1, 1]
    [figures] = any_client.queue_figures()
    assert (figures.ready, figures.running) == (1, 2)
    assert any_client.peek_message("work", ids[0]).state == "running"


def test_a_repeated_claim_returns_the_same_batch(any_client, hand):
    any_client.send_messages("work", ["a", "b", "c"])
    child = hand()
    call = child.lease.claim(2, suspects="take")
    first, again = child.run(call), child.run(call)
    assert again[4:] == first[4:]
    assert any_client.get_queue_attributes("work").totalrecv == 2


def test_a_done_message_leaves_nothing_but_its_outcome(any_client, hand):
    any_client.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    assert child.settle(ended(delivery, "done")) == {}
    assert queue_fields(any_client) == set()
    assert any_client.redis.exists(KEYS.ends("work")) == 0
    [outcome] = outbox.newest(any_client.session, count=10)
    assert (outcome.id, outcome.rc, outcome.event, outcome.body) == (delivery.message.id, 1, "done", "a")


def test_a_repeated_settle_is_recorded_once_and_refuses_the_same(any_client, hand):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    one, two = child.claim().deliveries
    any_client.delete_message("work", two.message.id)
    call = child.lease.settle([ended(one, "done"), ended(two, "done")])
    first, again = child.run(call), child.run(call)
    assert child.lease.read_settle(first) == child.lease.read_settle(again) == {two.message.id: "gone"}
    assert len(outbox.newest(any_client.session, count=10)) == 2


def test_a_message_whose_settle_a_failover_has_lost_is_given_back(any_client, hand):
    ids = any_client.send_messages("work", ["a", "b", "c"])
    child = hand()
    one, two = child.claim(2).deliveries
    child.lease.in_hand.remove((one.message.id, 1))  # as if Redis had acknowledged it and forgotten it
    assert child.claim(1).deliveries == []
    assert child.claim(1).deliveries == []
    [again] = child.claim(1).deliveries
    assert (again.message.id, again.message.rc, again.released) == (ids[0], 2, 1)
    assert child.settle(ended(two, "done"), ended(again, "done")) == {}
    [released, *_] = [o for o in outbox.newest(any_client.session, count=10) if o.event == "released"]
    assert released.id == ids[0]


def test_a_repeated_exchange_of_settle_and_claim_changes_nothing(any_client, hand):
    any_client.send_messages("work", ["a", "b", "c"])
    child = hand()
    [one] = child.claim(1).deliveries
    calls = [child.lease.settle([ended(one, "done")]), child.lease.claim(1, suspects="take")]
    first = any_client.session.call_each(calls)
    again = any_client.session.call_each(calls)
    assert first[1][4:] == again[1][4:]
    [figures] = any_client.queue_figures()
    assert (figures.ready, figures.running) == (1, 1)


def test_a_failed_message_comes_back_when_it_is_due_with_its_failure_counted(any_client, hand):
    any_client.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    child.settle(ended(delivery, "retrying", delay_ms=60_000))
    assert any_client.peek_messages("work")[0].state == "retrying"
    assert child.claim().deliveries == []
    any_client.change_message_visibility("work", delivery.message.id, 0)
    [again] = child.claim().deliveries
    assert (again.failed, again.crashed, again.message.rc) == (1, 0, 2)


def test_a_dead_message_is_unchanged_in_the_dead_letter_queue(any_client, hand):
    id = any_client.send_message("work", "a")
    child = hand()
    child.settle(ended(child.claim().deliveries[0], "dead"))
    assert queue_fields(any_client) == set()
    dead = any_client.receive_message("work-dead")
    assert (dead.id, dead.body, dead.rc) == (id, "a", 2)
    assert any_client.get_queue_attributes("work-dead").maxsize == -1
    assert sorted(any_client.list_queues()) == ["work", "work-dead"]


def test_a_released_message_goes_to_the_head_and_has_not_failed(any_client, hand):
    ids = any_client.send_messages("work", [str(number) for number in range(5)])
    child = hand()
    batch = child.claim(2).deliveries
    child.settle(*(ended(delivery, "released") for delivery in batch))
    again = child.claim(5).deliveries
    assert [delivery.message.id for delivery in again] == ids
    assert (again[0].failed, again[0].released) == (0, 1)


def test_a_receipt_that_moved_on_is_refused_and_changes_nothing(any_client, hand):
    id = any_client.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    any_client.change_message_visibility("work", id, 0)
    taken = any_client.receive_message("work")
    assert taken.rc == 2
    assert child.settle(ended(delivery, "done")) == {id: "lease lost"}
    assert any_client.peek_message("work", id).rc == 2
    assert outbox.newest(any_client.session, count=1)[0].event == "lease lost"


def test_extending_moves_the_lease_and_names_what_others_took(any_client, hand, conf):
    kept, lost = any_client.send_messages("work", ["a", "b"])
    hand().claim()
    any_client.change_message_visibility("work", lost, 0)
    any_client.receive_message("work")
    before = any_client.peek_message("work", kept).due_ms
    assert extend(any_client.session, conf, {"work": ["a"]}) == {"work": ([lost], [])}

    def moved():
        extend(any_client.session, conf, {"work": ["a"]})
        return any_client.peek_message("work", kept).due_ms > before

    eventually(moved, what="a later end of the lease")


def test_a_dead_childs_started_messages_count_a_crash_and_the_others_are_released(any_client, hand, conf):
    ids = any_client.send_messages("work", ["a", "b", "c"])
    hand().claim(2)
    assert abandon(any_client.session, conf, "work", "a", started=[ids[0]], reason="killed") == 2
    again = hand("b").claim(1).deliveries + hand("c").claim(5).deliveries
    assert [(d.message.id, d.crashed, d.released) for d in again] == [
        *[(ids[0], 1, 0), (ids[1], 0, 1), (ids[2], 0, 0)]
    ]
    events = {outcome.id: outcome.event for outcome in outbox.newest(any_client.session, count=1)}
    assert events == {ids[0]: "abandoned", ids[1]: "released"}


def test_a_lease_that_ended_is_found_by_the_next_claim_and_goes_to_the_head(any_client, hand):
    first = any_client.send_message("work", "a")
    hand("frozen", Config(LEASE=0.05)).claim()
    any_client.send_messages("work", ["b", "c"])
    other = hand("other")

    def found():
        return [d for d in other.claim(1).deliveries if d.message.id == first]

    taken = eventually(found, what="the abandoned message")
    assert (taken[0].crashed, taken[0].message.rc) == (1, 2)
    assert outbox.newest(any_client.session, count=5)[0].event == "abandoned"


def test_a_child_that_comes_back_after_its_lease_settles_nothing(any_client, hand):
    id = any_client.send_message("work", "a")
    frozen = hand("frozen", Config(LEASE=0.05))
    [delivery] = frozen.claim().deliveries
    other = hand("other")
    eventually(lambda: other.claim(1).deliveries, what="the other's claim")
    assert frozen.settle(ended(delivery, "done")) == {id: "lease lost"}
    assert any_client.peek_message("work", id).state == "running"


def test_a_lease_that_only_ran_out_still_belongs_to_its_child(any_client, hand):
    any_client.send_message("work", "a")
    child = hand("a", Config(LEASE=0.05))
    [delivery] = child.claim().deliveries
    eventually(lambda: any_client.peek_message("work", delivery.message.id).state == "ready")
    assert child.claim(5).deliveries == []
    assert child.settle(ended(delivery, "done")) == {}


def crash(client, hand, conf, name):
    """One claim of everything, and the death of its child with all of it started."""
    deliveries = hand(name).claim(10).deliveries
    started = [delivery.message.id for delivery in deliveries]
    abandon(client.session, conf, "work", name, started=started, reason="its process was killed by SIGKILL")
    return deliveries


def test_a_message_that_kills_its_process_dies_alone_at_the_third_crash(any_client, hand, conf):
    poison, neighbour = any_client.send_messages("work", ["poison", "neighbour"])
    assert len(crash(any_client, hand, conf, "one")) == 2
    assert [d.message.id for d in crash(any_client, hand, conf, "two")] == [poison]
    # Twice crashed: only a child that holds nothing gets it.
    busy = hand("busy").claim(10, suspects="await")
    assert (busy.deliveries, busy.wants_idle_child) == ([], True)
    assert [d.message.id for d in crash(any_client, hand, conf, "three")] == [poison]
    dead = any_client.peek_messages("work-dead")
    assert [(message.id, message.rc) for message in dead] == [(poison, 3)]
    [last] = outbox.newest(any_client.session, count=1)
    assert (last.event, last.error, last.body) == ("dead", "its process was killed by SIGKILL", "poison")
    assert hand("four").claim().deliveries[0].message.id == neighbour


def vanish(client, hand, name) -> list:
    """One claim of everything, and the end of its whole worker. Returns the claimed deliveries."""
    deliveries = hand(name, Config(LEASE=0.05)).claim(10).deliveries
    outcomes = len(outbox.newest(client.session, count=100))

    def is_found():
        # The claim of a child that takes nothing finds the lease.
        hand("finder").claim(0)
        return len(outbox.newest(client.session, count=100)) > outcomes

    eventually(is_found, what="the end of the lease")
    return deliveries


def test_the_end_of_a_whole_worker_isolates_its_messages_and_makes_none_dead(any_client, hand, conf):
    first, second = any_client.send_messages("work", ["first", "second"])
    assert [len(vanish(any_client, hand, f"w{n}")) for n in range(2)] == [2, 1]
    # Twice crashed: only a child that holds nothing gets it.
    assert hand("busy").claim(10, suspects="await").wants_idle_child
    for number in range(2, 8):
        [delivery] = vanish(any_client, hand, f"w{number}")
        assert (delivery.message.id, delivery.crashed) == (first, number)
    assert [delivery.message.id for delivery in vanish(any_client, hand, "w8")] == [first]
    assert [message.id for message in any_client.peek_messages("work-dead")] == [first]
    assert [delivery.message.id for delivery in hand("last").claim().deliveries] == [second]


def test_crashes_of_its_own_process_make_a_message_dead_also_after_workers_vanished(any_client, hand, conf):
    id = any_client.send_message("work", "poison")
    for number in range(4):
        vanish(any_client, hand, f"w{number}")
    for number in range(3):
        assert any_client.queue_figures(["work"])[0].dead == 0
        [delivery] = crash(any_client, hand, conf, f"c{number}")
        assert delivery.crashed == 4 + number
    assert [message.id for message in any_client.peek_messages("work-dead")] == [id]


def test_a_retry_does_not_forget_that_workers_vanished(any_client, hand, conf):
    id = any_client.send_message("work", "a")
    for number in range(3):
        vanish(any_client, hand, f"w{number}")
    child = hand("child")
    [delivery] = child.claim().deliveries
    child.settle(ended(delivery, "retrying", delay_ms=0))
    assert [len(crash(any_client, hand, conf, f"c{number}")) for number in range(2)] == [1, 1]
    assert any_client.peek_message("work", id) is not None


def test_a_message_that_a_foreign_reader_let_time_out_is_simply_ready(any_client, hand):
    any_client.send_message("work", "a")
    for _ in range(3):
        any_client.receive_message("work", vt=0)
    [delivery] = hand().claim().deliveries
    assert (delivery.message.rc, delivery.failed, delivery.crashed) == (4, 0, 0)


@pytest.mark.parametrize("event", ["retrying", "abandoned"])
def test_a_message_that_wears_out_has_an_end_of_its_own_after_its_last_run(any_client, hand, conf, event):
    a = hand("a")
    any_client.set_redrive_policy("work", 1)
    any_client.send_message("work", "text")
    for _ in range(2):
        [delivery] = a.claim().deliveries
        if event == "retrying":
            a.settle(ended(delivery, event))
        else:
            abandon(any_client.session, conf, "work", "a", started=[delivery.message.id], reason="it died")
        assert a.claim().deliveries == []
        assert any_client.redrive("work") == 1
    receipts = [(one.rc, one.event) for one in outbox.newest(any_client.session, count=10)]
    assert sorted(receipts) == [(1, event), (2, "dead"), (3, event), (4, "dead")]
    assert any_client.get_queue_attributes("work").totalrecv == 4


def test_a_claim_stops_at_a_megabyte(any_client, hand):
    any_client.set_queue_attributes("work", maxsize=-1)
    any_client.send_messages("work", ["x" * 400_000] * 5)
    assert len(hand().claim(10).deliveries) == 3


def test_a_claim_returns_the_next_due_time(any_client, hand):
    any_client.send_message("work", "later", delay=60)
    batch = hand().claim()
    assert 59_000 < batch.next_due_ms - batch.now_ms <= 60_000


def test_an_outbox_that_is_full_drops_the_oldest_and_counts_it(any_client, hand):
    child = hand("a", Config(OUTBOX_MAX=700))
    ids = any_client.send_messages("work", [secrets.token_hex(200) for _ in range(3)])
    for delivery in child.claim().deliveries:
        child.settle(ended(delivery, "done"))
    kept = [outcome.id for outcome in outbox.newest(any_client.session, count=10)]
    stats = any_client.redis.hgetall(KEYS.outbox_stats())
    assert kept == ids[-len(kept) :]
    assert int(stats[b"lost"]) == 3 - len(kept) > 0
    assert 0 < int(stats[b"bytes"]) <= 700


def test_a_full_redis_can_still_be_drained_by_workers(own_redis, conf):
    from queueing.client import QueueClient
    from tests.unit.conftest import Hand

    server = own_redis()
    client = QueueClient(server.connect())
    client.create_queue("work")
    client.send_messages("work", ["x" * 100] * 500)
    client.redis.config_set("maxmemory", client.redis.info("memory")["used_memory"] - 1)
    child = Hand(client, conf, "a")
    one, two, *rest = child.claim(20).deliveries
    assert child.settle(ended(one, "done"), ended(two, "retrying", delay_ms=5)) == {}
    assert abandon(client.session, conf, "work", "a", started=[rest[0].message.id], reason="killed") == 18
    entries = outbox.read(client.session, "recorder", count=10)
    outbox.drop(client.session, entries)
    assert sum(len(entry.outcomes) for entry in entries) == 20
    client.redis.close()


def test_only_one_recorder_reads_at_a_time(any_client, hand):
    any_client.send_messages("work", ["a", "b"])
    child = hand()
    child.settle(ended(child.claim(1).deliveries[0], "done"))
    entries = outbox.read(any_client.session, "one", count=10)
    assert outbox.read(any_client.session, "two", count=10) is None
    outbox.drop(any_client.session, entries)
    assert outbox.read(any_client.session, "one", count=10) == []
    assert outbox.read(any_client.session, "two", count=10) == []
    assert any_client.redis.hget(KEYS.outbox_stats(), "bytes") == b"0"


@pytest.mark.parametrize("id", ["short", 'odd "id"\n with anything', "é" * 40])
def test_ids_of_other_forms_are_held_and_settled(any_client, hand, id):
    any_client.redis.zadd(KEYS.schedule("work"), {id: 0})
    any_client.redis.hset(KEYS.attributes("work"), id, "body")
    child = hand()
    [delivery] = child.claim().deliveries
    assert delivery.message.id == id
    assert child.settle(ended(delivery, "done")) == {}
    assert json.loads(any_client.redis.hget(KEYS.held(), "a work"))["held"] in ([], {})


def test_a_repeated_claim_leaves_out_what_others_have_taken_since(any_client, hand):
    first, second, third = any_client.send_messages("work", ["a", "b", "c"])
    child = hand("a", Config(LEASE=9))
    child.claim(1)
    call = child.lease.claim(2, suspects="take")
    child.run(call)
    for id in (first, third):
        any_client.change_message_visibility("work", id, 0)
        any_client.receive_message("work", vt=60)
    extend(any_client.session, Config(LEASE=9), {"work": ["a"]})
    again = child.lease.read_claim(child.run(call))
    assert [delivery.message.id for delivery in again.deliveries] == [second]


def test_a_crash_of_a_message_with_a_long_id_is_its_own(any_client, hand, conf):
    id = "long" * 20
    any_client.redis.zadd(KEYS.schedule("work"), {id: 0})
    any_client.redis.hset(KEYS.attributes("work"), id, "body")
    hand().claim()
    abandon(any_client.session, conf, "work", "a", started=[id[:63]], reason="killed")
    assert any_client.redis.hget(KEYS.ends("work"), id) == b"0 1 0"


@pytest.mark.parametrize("rc", ["inf", "nan", "-5", "1e300", "9" * 30, "many"])
def test_an_invalid_receive_count_is_counted_from_the_beginning(any_client, hand, rc):
    id = any_client.send_message("work", "a")
    any_client.redis.hset(KEYS.attributes("work"), f"{id}:rc", rc)
    child = hand()
    [delivery] = child.claim().deliveries
    assert 1 <= delivery.message.rc <= 2**53
    assert child.settle(ended(delivery, "done")) == {}


def test_an_ending_too_large_for_the_outbox_pushes_out_nothing(any_client, hand):
    ids = any_client.send_messages("work", ["x"] + ["y" * 5000] * 20)
    child = hand("a", Config(OUTBOX_MAX=2000))
    child.settle(ended(child.claim(1).deliveries[0], "done"))
    child.claim(20)
    abandon(any_client.session, Config(OUTBOX_MAX=2000), "work", "a", started=ids[1:], reason="killed")
    assert [outcome.id for outcome in outbox.newest(any_client.session, count=10)] == [ids[0]]
    assert any_client.redis.hget(KEYS.outbox_stats(), "lost") == b"20"


def test_a_batch_of_outcomes_that_are_alike_takes_little_of_the_outbox(any_client, hand):
    child = hand()
    any_client.send_messages("work", ["x" * 100] * 100)
    deliveries = child.claim(100).deliveries
    child.settle(*(ended(delivery, "done") for delivery in deliveries))
    assert outbox.stats(any_client.session).size_bytes < 100 * 100
    assert [outcome.id for outcome in outbox.newest(any_client.session, count=1)] == [
        delivery.message.id for delivery in deliveries
    ]


@pytest.mark.parametrize("way", ["redrive", "move"])
def test_a_message_that_was_moved_was_never_given_back_in_its_new_queue(any_client, hand, way):
    id, worker = any_client.send_message("work", "a"), hand()
    for end in ("retrying", "released", "retrying", "dead"):
        [delivery] = worker.claim().deliveries
        worker.settle(ended(delivery, end))
    if way == "move":
        any_client.create_queue("elsewhere")
        any_client.move_messages("work-dead", "elsewhere")
        assert any_client.move_messages("elsewhere", "work") == 1
    else:
        assert any_client.redrive("work") == 1
    counted = []
    for end in ("released", "released", "retrying", "released"):
        [delivery] = worker.claim().deliveries
        counted.append((delivery.message.rc, delivery.failed, delivery.released))
        worker.settle(ended(delivery, end))
    assert counted == [(5, 0, 0), (6, 0, 1), (7, 0, 2), (8, 1, 2)]
    [delivery] = worker.claim().deliveries
    assert abandon(any_client.session, worker.lease.conf, "work", "a", started=[id], reason="killed") == 1
    [delivery] = worker.claim().deliveries
    assert (delivery.failed, delivery.crashed, delivery.released) == (1, 1, 3)


def take_over(client, hand, conf, id):
    client.change_message_visibility("work", id, 0)
    client.receive_message("work", vt=60)


def take_over_and_extend(client, hand, conf, id):
    take_over(client, hand, conf, id)
    extend(client.session, conf, {"work": ["a"]})


def take_over_and_delete(client, hand, conf, id):
    take_over_and_extend(client, hand, conf, id)
    client.delete_message("work", id)


def delete(client, hand, conf, id):
    client.delete_message("work", id)


def run_elsewhere(client, hand, conf, id):
    client.change_message_visibility("work", id, 0)
    other = hand("b")
    other.settle(ended(other.claim().deliveries[0], "done"))


LOSSES = [take_over, take_over_and_extend, take_over_and_delete, delete, run_elsewhere]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_run_that_has_lost_its_message_ends_in_the_history_if_its_process_is_killed(
    any_client, hand, conf, lose
):
    id = any_client.send_message("work", "a")
    child = hand()
    child.claim()
    lose(any_client, hand, conf, id)
    left = [(one.rc, one.due_ms) for one in any_client.peek_messages("work")]
    abandon(any_client.session, conf, "work", "a", started=[id], reason="killed")
    ends = [(o.rc, o.event) for o in outbox.newest(any_client.session, count=10) if o.rc == 1]
    assert ends == [(1, {take_over: "abandoned", take_over_and_extend: "lease lost"}.get(lose, "gone"))]
    assert [(one.rc, one.due_ms) for one in any_client.peek_messages("work")] == left
    assert any_client.redis.hget(KEYS.held(), "a work") is None


@pytest.mark.parametrize("lose", LOSSES)
def test_a_run_that_has_lost_its_message_ends_once_if_its_child_settles_it(any_client, hand, conf, lose):
    id = any_client.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    lose(any_client, hand, conf, id)
    assert set(child.settle(ended(delivery, "done"))) == {id}
    abandon(any_client.session, conf, "work", "a", started=[id], reason="killed")
    assert [o.rc for o in outbox.newest(any_client.session, count=10)].count(1) == 1


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_child_that_claims_the_message_it_runs_holds_only_the_later_delivery(
    any_client, hand, conf, is_killed
):
    id = any_client.send_message("work", "a")
    child = hand()
    [first] = child.claim().deliveries
    any_client.change_message_visibility("work", id, 0)
    [second] = child.claim().deliveries
    assert (second.message.id, second.message.rc) == (id, 2)
    if is_killed:
        abandon(any_client.session, conf, "work", "a", started=[id], reason="killed")
        ends = {(1, "lease lost"), (2, "abandoned")}
    else:
        assert child.settle(ended(first, "done")) == {id: "lease lost"}
        child.lease.in_hand.remove((id, 1))
        assert child.claim().deliveries == []
        assert any_client.peek_message("work", id).state == "running"
        assert child.settle(ended(second, "done")) == {}
        ends = {(1, "lease lost"), (2, "done")}
    assert {(o.rc, o.event) for o in outbox.newest(any_client.session, count=10)} == ends
