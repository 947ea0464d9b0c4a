"""Node and Python use one queue in turns: each sees the changes of the other."""

from typing import Any

import pytest
import redis

from queueing.client import QueueClient, rsmq, sweep
from queueing.exceptions import QueueNotFound
from queueing.messages import Message
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually

from .bridge import NodeSide, PythonSide, RsmqError


@pytest.fixture(params=["Node first", "Python first"])
def pair(request: pytest.FixtureRequest, node: NodeSide, python: PythonSide) -> tuple[Any, Any]:
    """Both clients in each order, and a queue ``q``."""
    node.call("createQueue", qname="q")
    return (node, python) if request.param == "Node first" else (python, node)


def test_receive_count_and_first_receive_agree_when_clients_take_turns(pair):
    one, other = pair
    message_id = other.call("sendMessage", qname="q", message="in turns")
    turns = [side.call("receiveMessage", qname="q", vt=0) for side in (one, other) * 3]
    assert [turn["rc"] for turn in turns] == [1, 2, 3, 4, 5, 6]
    assert {turn["id"] for turn in turns} == {message_id}
    assert len({turn["fr"] for turn in turns}) == 1
    assert len({turn["sent"] for turn in turns}) == 1
    assert one.call("deleteMessage", qname="q", id=message_id) == 1
    assert other.call("deleteMessage", qname="q", id=message_id) == 0
    assert other.call("receiveMessage", qname="q") == {}


def test_a_message_that_one_client_hides_or_shows_is_hidden_or_shown_for_the_other(pair):
    one, other = pair
    message_id = one.call("sendMessage", qname="q", message="hidden")
    assert one.call("changeMessageVisibility", qname="q", id=message_id, vt=60) == 1
    assert other.call("receiveMessage", qname="q") == {}
    assert one.call("changeMessageVisibility", qname="q", id=message_id, vt=0) == 1
    assert other.call("receiveMessage", qname="q")["rc"] == 1
    assert one.call("changeMessageVisibility", qname="q", id=message_id, vt=0) == 1
    assert one.call("receiveMessage", qname="q")["rc"] == 2


def test_a_message_that_one_client_deletes_is_gone_for_its_receiver(pair, redis_connection: redis.Redis):
    one, other = pair
    message_id = one.call("sendMessage", qname="q", message="held")
    assert other.call("receiveMessage", qname="q")["id"] == message_id
    assert one.call("deleteMessage", qname="q", id=message_id) == 1
    assert other.call("changeMessageVisibility", qname="q", id=message_id, vt=0) == 0
    assert other.call("deleteMessage", qname="q", id=message_id) == 0
    assert redis_connection.hlen("rsmq:q:Q") == 7, "five attributes and two counters"
    assert redis_connection.exists("rsmq:q") == 0


def test_a_message_that_one_client_received_is_popped_by_the_other(pair, redis_connection: redis.Redis):
    one, other = pair
    message_id = other.call("sendMessage", qname="q", message="popped")
    received = one.call("receiveMessage", qname="q", vt=0)
    popped = other.call("popMessage", qname="q")
    assert popped == received | {"rc": 2}
    assert one.call("deleteMessage", qname="q", id=message_id) == 0
    assert redis_connection.hlen("rsmq:q:Q") == 7


def test_a_queue_that_one_client_deletes_is_gone_for_the_other(pair, redis_connection: redis.Redis):
    one, other = pair
    message_id = one.call("sendMessage", qname="q", message="lost")
    assert other.call("receiveMessage", qname="q")["id"] == message_id
    assert one.call("deleteQueue", qname="q") == 1
    assert other.call("deleteMessage", qname="q", id=message_id) == 0
    for method, options in [
        ("receiveMessage", {}),
        ("popMessage", {}),
        ("sendMessage", {"message": "x"}),
        ("getQueueAttributes", {}),
        ("setQueueAttributes", {"vt": 1}),
        ("changeMessageVisibility", {"id": message_id, "vt": 1}),
        ("deleteQueue", {}),
    ]:
        with pytest.raises(RsmqError) as caught:
            other.call(method, qname="q", **options)
        assert caught.value.args == ("queueNotFound", "Queue not found"), method
    assert other.call("listQueues") == []
    assert redis_connection.keys("rsmq:q*") == []


def test_a_receipt_is_refused_once_node_has_received_the_message_again(node: NodeSide, client: QueueClient):
    client.create_queue("q")
    client.send_message("q", "mine")
    mine = client.receive_message("q", vt=0)
    assert isinstance(mine, Message)
    theirs = node.call("receiveMessage", qname="q")
    assert client.delete_message("q", mine.id, rc=mine.rc) == 0
    assert client.change_visibilities("q", [mine], 0) == [0]
    assert client.release_message("q", mine) == 0
    assert node.call("deleteMessage", qname="q", id=theirs["id"]) == 1
    assert client.delete_messages("q", [mine, mine.id]) == [0, 0]


def test_a_released_message_goes_to_node_immediately(node: NodeSide, client: QueueClient):
    client.create_queue("q")
    first, second = client.send_messages("q", ["first", "second"])
    mine = client.receive_message("q")
    assert isinstance(mine, Message)
    assert client.release_message("q", mine) == 1
    assert node.call("receiveMessage", qname="q")["id"] == first, "it is back at the head"
    assert node.call("receiveMessage", qname="q")["id"] == second


def test_headers_of_messages_that_node_deleted_are_swept(node: NodeSide, client: QueueClient):
    client.create_queue("q")
    message_id = client.send_message("q", "body", headers={"trace": "1"})
    assert node.call("receiveMessage", qname="q")["message"] == "body"
    assert node.call("deleteMessage", qname="q", id=message_id) == 1
    assert client.sweep_queue("q").orphans == 1
    client.send_message("q", "body", headers={"trace": "2"})
    assert node.call("deleteQueue", qname="q") == 1
    assert sweep.sweep_lost_queues(client.session) == 1
    assert [key for key in client.redis.keys("*") if not key.startswith(b"rsmq::sender:")] == []


def test_a_message_that_node_received_too_often_becomes_a_dead_letter_that_node_can_read(
    node: NodeSide, client: QueueClient
):
    client.create_queue("q")
    client.set_redrive_policy("q", 2)
    message_id = node.call("sendMessage", qname="q", message="poison")
    received = [node.call("receiveMessage", qname="q", vt=0) for _ in range(2)]
    assert client.receive_message("q") is None
    dead = node.call("receiveMessage", qname="q-dead", vt=0)
    assert dead == received[-1] | {"rc": 3}
    assert set(node.call("listQueues")) == {"q", "q-dead"}
    assert client.redrive("q") == 1
    assert node.call("popMessage", qname="q")["id"] == message_id


#: Within this time only the poll or the end of a wait finds a message.
LONG_SECONDS = 2 * HANG_SECONDS


@pytest.fixture
def slow_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receive finds a message only if it is woken or if the message comes due."""
    monkeypatch.setattr(rsmq, "POLL_SECONDS", LONG_SECONDS)


# --- realtime -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("slow_poll")
def test_a_realtime_send_of_node_wakes_a_waiting_receive(
    node: NodeSide, client: QueueClient, redis_connection: redis.Redis
):
    client.create_queue("q")
    with Threads(1) as pool:
        waiting = pool.submit(client.receive_messages, "q", wait_seconds=LONG_SECONDS)
        eventually(lambda: redis_connection.pubsub_numsub("rsmq:rt:q") == [(b"rsmq:rt:q", 1)])
        message_id = node.call("sendMessage", qname="q", message="wake up", realtime=True)
        [received] = waiting.result(HANG_SECONDS)
    assert received.id == message_id


def test_each_send_publishes_the_number_of_messages_for_nodes_subscribers(
    node: NodeSide, client: QueueClient
):
    client.create_queue("heard")
    node.call("listen", channel="rsmq:rt:heard")
    node.call("sendMessage", qname="heard", message="Node's own", realtime=True)
    client.send_message("heard", "one")
    client.send_messages("heard", ["two", "three"])
    client.send_message("heard", "later", delay=60)
    eventually(lambda: node.call("heard") == ["1", "2", "3", "4", "5"], what=lambda: str(node.call("heard")))


@pytest.mark.usefixtures("slow_poll")
def test_a_waiting_receive_fails_when_node_deletes_the_queue(node: NodeSide, client: QueueClient):
    client.create_queue("q")
    client.send_message("q", "never due here", delay_ms=3000)
    with Threads(1) as pool:
        waiting = pool.submit(client.receive_messages, "q", wait_seconds=LONG_SECONDS)
        eventually(lambda: client.redis.pubsub_numsub("rsmq:rt:q") == [(b"rsmq:rt:q", 1)])
        assert node.call("deleteQueue", qname="q") == 1
        with pytest.raises(QueueNotFound):
            waiting.result(HANG_SECONDS)
