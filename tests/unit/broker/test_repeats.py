"""Replies that are cut: each call is repeated as its rule says, beside fast consumers.

The proxy lets a call reach Redis and loses the reply, so every one of these calls has taken effect.
"""

from contextlib import contextmanager

import pytest
import redis

from queueing.broker import leases
from queueing.client import QueueClient
from queueing.exceptions import QueueExists, QueueNotFound, QueueUnavailable, ReplyLost
from queueing.messages import Draft
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy, Fate
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually
from tests.unit.conftest import Hand, ended


@pytest.fixture
def queue(client: QueueClient) -> QueueClient:
    client.create_queue("work")
    return client


@pytest.fixture
def cut(redis_server, queue):
    """A client behind a proxy that cuts the first reply of each different call."""
    with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        connection = redis.Redis.from_url(proxy.url, retry=None)
        yield QueueClient(connection)
        connection.close()


@contextmanager
def consumers(client: QueueClient, count: int = 2):
    """Threads that pop all messages. Yields the list of the popped ones."""
    taken, stopping = [], []

    def consume() -> None:
        while not stopping:
            message = client.pop_message("work")
            if message:
                taken.append(message)

    with Threads(count) as pool:
        try:
            consuming = [pool.submit(consume) for _ in range(count)]
            yield taken
        finally:
            stopping.append(True)
        for work in consuming:
            work.result(HANG_SECONDS)


def drained(client: QueueClient, taken: list, count: int) -> bool:
    return len(taken) >= count and client.get_queue_attributes("work").msgs == 0


def test_a_send_is_one_message_though_consumers_are_faster(queue, cut):
    with consumers(queue) as taken:
        ids = [cut.send_message("work", str(number)) for number in range(50)]
        eventually(lambda: drained(queue, taken, 50))
    assert sorted(message.id for message in taken) == sorted(ids)


def test_a_batch_is_sent_once_though_consumers_are_faster(queue, cut):
    with consumers(queue) as taken:
        ids = cut.send_messages("work", [str(number) for number in range(2500)])
        eventually(lambda: drained(queue, taken, 2500))
    assert [message.id for message in sorted(taken, key=lambda message: int(message.body))] == ids


def test_a_repeated_send_with_deduplication_returns_what_the_first_did(queue, cut):
    first = queue.send_message("work", "before", deduplication_id="a")
    ids = cut.send_messages(
        "work",
        [Draft(body="1", deduplication_id="a"), "2", Draft(body="3", deduplication_id="b"), "4"],
    )
    assert ids[0] == first
    assert [message.id for message in queue.peek_messages("work")] == [first, *ids[1:]]


def test_a_claim_is_one_claim(queue, cut, conf):
    queue.send_messages("work", ["a", "b", "c"])
    child = Hand(cut, conf, "a")
    assert [delivery.message.body for delivery in child.claim(2).deliveries] == ["a", "b"]
    [figures] = queue.queue_figures()
    assert (figures.running, figures.attributes.totalrecv) == (2, 2)


def test_a_settle_is_one_settle_and_refuses_the_same(queue, cut, conf):
    from queueing.broker import outbox

    queue.send_messages("work", ["a", "b"])
    child = Hand(cut, conf, "a")
    one, two = child.claim(2).deliveries
    queue.delete_message("work", two.message.id)
    assert child.settle(ended(one, "done"), ended(two, "done")) == {two.message.id: "gone"}
    assert len(outbox.newest(queue.session, count=10)) == 2


def test_a_settle_with_the_next_claim_is_one_of_each(queue, cut, conf):
    queue.send_messages("work", ["a", "b"])
    child = Hand(cut, conf, "a")
    [one] = child.claim(1).deliveries
    settle, claim = cut.session.call_each(
        [child.lease.settle([ended(one, "retrying", delay_ms=9e6)]), child.lease.claim(1, suspects="take")],
    )
    assert child.lease.read_settle(settle) == {}
    assert [d.message.body for d in child.lease.read_claim(claim).deliveries] == ["b"]
    assert queue.redis.hget("rsmq:work:ends", one.message.id) == b"1 0 0"


def test_extending_and_giving_back_are_repeated_freely(queue, cut, conf):
    [id] = queue.send_messages("work", ["a"])
    Hand(cut, conf, "a").claim()
    assert leases.extend(cut.session, conf, {"work": ["a"]}) == {"work": ([], [])}
    leases.abandon(cut.session, conf, "work", "a", started=[id], reason="killed")
    assert queue.redis.hget("rsmq:work:ends", id) == b"0 1 0"


def test_a_repeated_call_reports_that_it_has_created_or_deleted_the_queue(queue, cut):
    assert cut.create_queue("new") == 1
    assert cut.delete_queue("new") == 1
    assert queue.list_queues() == ["work"]
    with pytest.raises(QueueExists):
        cut.create_queue("work")
    with pytest.raises(QueueNotFound):
        cut.delete_queue("new")


def test_a_deletion_is_repeated_and_may_say_0_for_1(queue, cut):
    id = queue.send_message("work", "a")
    assert cut.delete_message("work", id) == 0
    assert queue.get_queue_attributes("work").msgs == 0


def test_a_pop_is_not_repeated_takes_one_at_most_and_raises_reply_lost(queue, cut):
    queue.send_messages("work", ["a", "b"])
    with pytest.raises(ReplyLost, match="one message may have been taken"):
        cut.pop_message("work")
    assert [message.body for message in queue.peek_messages("work")] == ["b"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_receive_is_not_repeated_and_raises_reply_lost(queue, cut, count):
    queue.send_messages("work", ["a", "b", "c"])
    with pytest.raises(ReplyLost, match="may have been taken"):
        cut.receive_messages("work", count)
    assert queue.get_queue_attributes("work").totalrecv == count


def test_a_reply_that_never_comes_is_not_waited_for_for_ever(redis_server, queue):
    never = CutEachOnce(fate=Fate.DROP)
    with CuttingProxy(redis_server.port, never) as proxy:
        connection = redis.Redis.from_url(proxy.url, socket_timeout=0.2)
        client = QueueClient(connection)
        queue.send_message("work", "a")
        with pytest.raises(ReplyLost):
            client.pop_message("work")
        connection.close()


def test_a_driver_that_would_retry_by_itself_does_not(redis_server, queue):
    with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        connection = redis.Redis.from_url(proxy.url)  # with redis-py's own retries
        queue.send_messages("work", ["a", "b", "c"])
        with pytest.raises(ReplyLost):
            QueueClient(connection).pop_message("work")
        assert queue.get_queue_attributes("work").msgs == 2
        connection.close()


def test_redis_that_is_away_at_the_start_has_taken_nothing(queue):
    client = QueueClient(redis.Redis(port=1, socket_timeout=0.2))
    with pytest.raises(QueueUnavailable) as caught:
        client.pop_message("work")
    assert not isinstance(caught.value, ReplyLost)
