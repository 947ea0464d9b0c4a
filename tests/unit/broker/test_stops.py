"""The request to stop a message that a worker holds: it belongs to one delivery, and ends with it."""

import json

import pytest

from queueing.broker.leases import Stop, abandon, extend
from queueing.broker.outbox import newest
from tests.unit.conftest import ended


@pytest.fixture
def queue(any_client, hand):
    """The client, the hand of the child ``a``, and the delivery of the queue ``work`` that it holds."""
    a = hand("a")
    any_client.send_message("work", "text")
    [delivery] = a.claim().deliveries
    return any_client, a, delivery


def stops(client, conf, *children):
    return extend(client.session, conf, {"work": children or ["a"]})["work"].stops


def test_the_keeper_learns_what_to_stop_until_it_is_settled(queue, conf):
    client, a, delivery = queue
    id = delivery.message.id
    assert stops(client, conf) == []
    assert client.stop_message("work", id, reason="wrong file") == "running"
    asked = [Stop("a", "work", id, 1, False, "wrong file")]
    assert stops(client, conf) == asked
    assert stops(client, conf) == asked, "the first order may be lost"
    assert a.settle(ended(delivery, "cancelled")) == {}
    assert stops(client, conf) == []
    assert client.peek_message("work", id) is None
    assert client.queue_figures(["work"])[0].dead == 0


def test_a_request_by_force_stays_one(queue, conf):
    client, _, delivery = queue
    client.stop_message("work", delivery.message.id, force=True)
    client.stop_message("work", delivery.message.id, reason="please")
    assert [(stop.kills, stop.reason) for stop in stops(client, conf)] == [(True, "please")]


@pytest.mark.parametrize("event", ["retrying", "released", "dead"])
def test_a_run_that_ends_before_the_request_reaches_it_does_not_run_again(queue, conf, event):
    client, a, delivery = queue
    id = delivery.message.id
    client.stop_message("work", id, reason="wrong file")
    call = a.lease.settle([ended(delivery, event, error="boom", delay_ms=100)])
    for _ in range(2):  # The reply of the first call may be lost.
        assert a.lease.read_settle(a.run(call)) == {id: "cancelled"}
    assert client.peek_message("work", id) is None
    assert a.claim().deliveries == []
    assert client.queue_figures(["work"])[0].dead == 0
    [outcome] = newest(client.session, count=10)
    assert (outcome.event, outcome.rc, outcome.error) == ("cancelled", 1, "wrong file")
    assert stops(client, conf) == []


def test_a_run_that_succeeds_before_the_request_reaches_it_is_done(queue):
    client, a, delivery = queue
    client.stop_message("work", delivery.message.id)
    assert a.settle(ended(delivery, "done")) == {}
    assert [outcome.event for outcome in newest(client.session, count=10)] == ["done"]


def test_a_request_for_one_delivery_never_stops_the_next_one(queue, conf):
    client, a, delivery = queue
    a.settle(ended(delivery, "retrying"))
    [again] = a.claim().deliveries
    assert (again.message.id, again.message.rc) == (delivery.message.id, 2)
    held = client.keys.held()
    lane = json.loads(client.redis.hget(held, a.lease.name))
    lane["stops"] = {delivery.message.id: [1, 0, "too late"]}
    client.redis.hset(held, a.lease.name, json.dumps(lane))
    assert a.settle(ended(again, "retrying")) == {}
    assert stops(client, conf) == []


def test_another_receiver_s_delivery_is_not_stopped(queue, conf):
    client, _, delivery = queue
    client.stop_message("work", delivery.message.id)
    client.change_message_visibility("work", delivery.message.id, 0)
    client.receive_message("work")
    assert extend(client.session, conf, {"work": ["a"]}) == {"work": ([delivery.message.id], [])}
    assert stops(client, conf) == []


def test_a_job_with_a_stop_order_is_cancelled_if_its_process_dies(queue, conf):
    client, a, delivery = queue
    other = client.send_message("work", "other")
    a.claim()
    client.stop_message("work", delivery.message.id, reason="wrong file", force=True)
    assert abandon(client.session, conf, "work", "a", started=[], reason="it was killed") == 1
    assert client.peek_message("work", delivery.message.id) is None
    assert client.peek_message("work", other).state == "ready"
    ends = {o.id: o for o in newest(client.session, count=10)}
    stopped, released = ends[delivery.message.id], ends[other]
    assert (stopped.event, stopped.rc, stopped.error) == ("cancelled", 1, "wrong file")
    assert stopped.started_ms
    assert (released.event, released.crashes) == ("released", 0)


def test_waiting_jobs_are_cancelled_and_those_of_others_or_absent_ones_are_left(queue):
    client, _, delivery = queue
    waiting, hidden = client.send_message("work", "1"), client.send_message("work", "2")
    client.change_message_visibility("work", hidden, 60)
    words = client.stop_messages("work", [waiting, delivery.message.id, "0" * 32])
    assert words == ["cancelled", "running", "gone"]


def test_a_cancel_still_leaves_what_runs(queue, conf):
    client, _, delivery = queue
    assert client.cancel_message("work", delivery.message.id) == "running"
    assert stops(client, conf) == []


@pytest.mark.parametrize("value", ["7", '"text"', "[]", '{"ID": 1}', '{"ID": [1]}', '{"ID": ["1", 1]}'])
def test_a_spoilt_request_stops_nothing_or_what_it_names(queue, conf, value):
    client, a, delivery = queue
    key, field = client.keys.held(), a.lease.name
    lane = client.redis.hget(key, field).decode()
    spoilt = f'{lane[:-1]},"stops":{value.replace("ID", delivery.message.id)}' + "}"
    client.redis.hset(key, field, spoilt)
    assert {stop.rc for stop in stops(client, conf)} <= {1}
    assert a.settle(ended(delivery, "done")) == {}
