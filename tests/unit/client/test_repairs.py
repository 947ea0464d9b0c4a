"""A sweep mends keys of another type, invalid due times, and leases without end."""

import math

import pytest

from queueing.broker import rsmq_values
from queueing.broker.leases import QueueLease
from queueing.client import sweep
from queueing.conf import Config
from queueing.messages import Swept
from queueing.monitoring.workers import beat
from tests.faults import spoilt
from tests.unit.conftest import ended

OF_THE_QUEUE = ("ends", "leases", "headers", "progress", "metrics", "waking", "unique")
OF_THE_NAMESPACE = ("held", "outbox", "outbox_stats", "unrecorded", "task_queues", "workers", "quiet_workers")


def claimed(client) -> list[str]:
    lease = QueueLease(client.session, Config(), "child", "ledger")
    batch = lease.read_claim(client.session.call_each([lease.claim(10, suspects="take")])[0])
    return [delivery.message.body for delivery in batch.deliveries]


@pytest.fixture
def queue(client):
    client.create_queue("ledger", maxsize=-1)
    return client


@pytest.mark.parametrize("name", [*OF_THE_QUEUE, *OF_THE_NAMESPACE, "schedules", "queues"])
def test_a_key_of_another_type_is_set_aside_with_its_content(queue, name):
    of_queue = name in OF_THE_QUEUE
    key = getattr(queue.keys, name)(*(["ledger"] if of_queue else []))
    queue.redis.delete(key)
    queue.redis.set(key, "theirs")
    assert queue.sweep_queue("ledger") == Swept(mended=1)
    assert queue.redis.get(f"{key}:unreadable") == b"theirs"
    assert queue.sweep_queue("ledger") == Swept()
    queue.send_message("ledger", "healthy")
    assert claimed(queue) == ["healthy"]
    assert queue.list_queues() == ["ledger"]


def test_keys_of_their_type_stay(queue):
    queue.send_message("ledger", "text", headers={"a": "b"})
    claimed(queue)
    beat(queue.session, "worker", "{}", "token")
    assert sweep.mend_keys(queue.session, "ledger") == {}


@pytest.mark.parametrize("score", [math.inf, 1e300, 2.0**63])
def test_a_message_with_an_invalid_due_time_becomes_ready(queue, score):
    spoilt.put(queue, score=score)
    assert claimed(queue) == []
    assert queue.sweep_queue("ledger").mended == 1
    assert claimed(queue) == ["text"]


def test_a_message_that_is_due_in_a_year_stays_delayed(queue):
    id = queue.send_message("ledger", "text", due_ms=queue.now_ms() + 31_536_000_000)
    assert queue.sweep_queue("ledger") == Swept()
    assert queue.peek_message("ledger", id).state == "delayed"


@pytest.mark.parametrize("text", spoilt.HELD)
def test_a_lease_without_end_is_dropped_with_its_lane(queue, text):
    queue.redis.hset(queue.keys.held(), spoilt.LANE, text)
    queue.redis.zadd(queue.keys.leases("ledger"), {spoilt.LANE: math.inf})
    assert queue.sweep_queue("ledger").mended == 1
    assert not queue.redis.exists(queue.keys.held(), queue.keys.leases("ledger"))


def test_figures_can_be_read_if_messages_are_in_wrong_bands(queue):
    band, now_ms = 10**10, queue.now_ms()
    for number, (place, priority) in enumerate([(9, 1), (5, 1), (1, 5), (3, 9), (4, 2)]):
        id = f"hol7zzzz{number:02}" + "q" * 22
        spoilt.put(queue, id=id, score=now_ms - place * band - 5, headers=f"p{priority} {{}}")
    [figures] = queue.queue_figures(["ledger"])
    assert figures.ready == 5


def test_a_lease_of_the_longest_setting_stays_with_its_lane(queue):
    conf = Config(LEASE=float(rsmq_values.MAX_SECONDS))
    lease = QueueLease(queue.session, conf, "child", "ledger")
    queue.send_message("ledger", "text")
    [delivery] = lease.read_claim(queue.session.call_each([lease.claim(10, suspects="take")])[0]).deliveries
    assert queue.sweep_queue("ledger") == Swept()
    reply = queue.session.call_each([lease.settle([ended(delivery, "done", attempts=1)])])[0]
    assert lease.read_settle(reply) == {}
