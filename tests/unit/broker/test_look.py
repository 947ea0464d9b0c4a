"""One look into many queues."""

import pytest

from queueing.broker import leases
from queueing.broker.leases import Look, QueueLease
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.messages import Draft


@pytest.fixture(params=["redis", "fakeredis"])
def any_client(request: pytest.FixtureRequest) -> QueueClient:
    return request.getfixturevalue("client" if request.param == "redis" else "fake_client")


def look(client: QueueClient, queues: list[str]) -> list[Look]:
    return leases.read_look(queues, client.session.call(leases.look(client.session, queues)))


def test_it_finds_due_messages_due_times_and_missing_queues(any_client: QueueClient):
    for queue in ("empty", "due", "later"):
        any_client.create_queue(queue)
    any_client.send_message("due", "now")
    any_client.send_message("later", "in a minute", delay=60)
    empty, due, later, missing = look(any_client, ["empty", "due", "later", "missing"])
    assert empty == Look("empty", False, False, None)
    assert due == Look("due", True, False, None)
    assert missing == Look("missing", False, True, None)
    assert 50 < later.next_due_seconds <= 60
    assert any_client.get_queue_attributes("due").totalrecv == 0


def test_an_urgent_delayed_message_is_due_after_its_delay(any_client: QueueClient):
    any_client.create_queue("q")
    any_client.send_messages("q", [Draft(body="later", delay_ms=60_000, priority=5)])
    [found] = look(any_client, ["q"])
    assert not found.is_due
    assert 50 < found.next_due_seconds <= 60


def test_a_lease_that_has_ended_is_for_a_claim_to_give_back(any_client: QueueClient):
    any_client.create_queue("q")
    any_client.send_message("q", "held")
    any_client.session.call_each(
        [QueueLease(any_client.session, Config(LEASE=60), "a", "q").claim(1, suspects="take")]
    )
    [held] = look(any_client, ["q"])
    assert not held.is_due
    any_client.redis.zadd(any_client.keys.leases("q"), {"a q": 1})
    [ended] = look(any_client, ["q"])
    assert ended.is_due


def test_a_queue_that_is_spoilt_hides_no_other(any_client: QueueClient):
    any_client.create_queue("spoilt")
    any_client.create_queue("q")
    any_client.redis.set("rsmq:spoilt", "no sorted set")
    assert [found.is_due for found in look(any_client, ["spoilt", "q"])] == [True, False]
