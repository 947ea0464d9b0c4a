"""A receive that waits: woken by sends, by due times and by the poll, and busy with nothing else."""

import threading
import time
from concurrent.futures import Future

import pytest
import redis

from queueing.broker import pubsub
from queueing.client import QueueClient
from queueing.client import rsmq as receiving
from queueing.exceptions import QueueUnavailable
from tests.support.cutting_proxy import CuttingProxy
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually


@pytest.fixture
def queue(client: QueueClient) -> QueueClient:
    client.create_queue("q")
    return client


@pytest.fixture
def thread():
    with Threads(8) as pool:
        yield pool


#: A message that is found after this time was found at the end of the wait alone.
LONG_SECONDS = 2 * HANG_SECONDS


@pytest.fixture
def slow_poll(monkeypatch):
    """A receive finds a message only because it is woken or because the message comes due."""
    monkeypatch.setattr(receiving, "POLL_SECONDS", LONG_SECONDS)


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def listeners(client: QueueClient, channel: str = "rsmq:rt:q") -> int:
    return client.redis.pubsub_numsub(channel)[0][1]


def scripts_run(client: QueueClient) -> int:
    """How many scripts Redis has run in all."""
    stats = client.redis.info("commandstats")
    of = [stats.get(f"cmdstat_{verb}", {}) for verb in ("eval", "evalsha")]
    return sum(one.get("calls", 0) - one.get("failed_calls", 0) for one in of)


def waiting_receive(thread, client: QueueClient, **arguments) -> Future:
    """A receive that has begun to wait: it has claimed, subscribed, and claimed again."""
    before = scripts_run(client)
    future = thread.submit(client.receive_messages, "q", wait_seconds=LONG_SECONDS, **arguments)
    eventually(lambda: listeners(client) == 1, what="a listener")
    eventually(lambda: scripts_run(client) >= before + 2, what="the look after the listener")
    # Until its reply has arrived, a cut connection would be a lost reply.
    eventually(lambda: not client.redis.connection_pool._in_use_connections, what="the reply")
    return future


def test_a_ready_message_is_received_immediately(queue):
    queue.send_message("q", "a")
    assert [message.body for message in queue.receive_messages("q", wait_seconds=LONG_SECONDS)] == ["a"]
    assert listeners(queue) == 0


@pytest.mark.usefixtures("slow_poll")
def test_a_send_wakes_a_waiting_receive(queue, thread):
    future = waiting_receive(thread, queue)
    id = queue.send_message("q", "a")
    assert [message.id for message in future.result(HANG_SECONDS)] == [id]


@pytest.mark.usefixtures("slow_poll")
def test_a_delayed_message_is_received_when_it_is_due(queue, thread):
    queue.send_message("q", "a", delay_ms=300)
    [message] = queue.receive_messages("q", wait_seconds=LONG_SECONDS)
    assert 299 <= message.fr - message.sent < HANG_SECONDS * 1000


@pytest.mark.usefixtures("slow_poll")
def test_a_message_that_timed_out_is_received_when_it_is_due(queue, thread):
    queue.send_message("q", "a")
    queue.receive_message("q", vt=1)
    [message] = waiting_receive(thread, queue).result(HANG_SECONDS)
    assert message.rc == 2


def test_an_unannounced_message_is_found_by_the_poll(queue, thread, monkeypatch):
    monkeypatch.setattr(receiving, "POLL_SECONDS", 0.2)
    future = waiting_receive(thread, queue)
    id = "hofnoo4h3uSitfleX3naLlLtIJBcS2lk"
    queue.redis.hset("rsmq:q:Q", id, "foreign")
    queue.redis.zadd("rsmq:q", {id: 0})
    assert [message.body for message in future.result(HANG_SECONDS)] == ["foreign"]


def test_nothing_comes_and_the_wait_ends(queue):
    began = time.monotonic()
    assert queue.receive_messages("q", wait_seconds=0.3) == []
    assert time.monotonic() - began >= 0.3


@pytest.mark.usefixtures("slow_poll")
def test_a_wait_costs_next_to_nothing(queue, thread):
    future = waiting_receive(thread, queue)
    before = queue.redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert future.done() is False
    threading.Event().wait(0.5)
    after = queue.redis.info("commandstats")["cmdstat_evalsha"]["calls"]
    queue.send_message("q", "a")
    future.result(HANG_SECONDS)
    assert after - before <= 1


@pytest.mark.usefixtures("slow_poll")
def test_a_wait_outlasts_the_time_out_of_its_connection(redis_server, queue):
    hasty = QueueClient(redis.Redis.from_url(redis_server.url, socket_timeout=1.0))
    queue.send_message("q", "a", delay_ms=2500)
    assert [message.body for message in hasty.receive_messages("q", wait_seconds=LONG_SECONDS)] == ["a"]
    hasty.redis.close()


@pytest.mark.usefixtures("slow_poll")
def test_all_waiting_threads_of_a_client_share_one_listener(queue, thread):
    futures = [waiting_receive(thread, queue, count=1) for _ in range(6)]
    assert listeners(queue) == 1
    ids = queue.send_messages("q", ["x"] * 6)
    taken = {message.id for future in futures for message in future.result(HANG_SECONDS)}
    assert taken == set(ids)


@pytest.mark.usefixtures("slow_poll")
def test_a_listener_that_cannot_start_is_started_by_the_next_wait(queue, thread, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(RuntimeError):
            queue.receive_messages("q", wait_seconds=LONG_SECONDS)
    assert not queue.wakeups._waiting
    waiting = waiting_receive(thread, queue)
    queue.send_message("q", "x")
    assert [message.body for message in waiting.result(HANG_SECONDS)] == ["x"]


def test_the_listener_leaves_when_nobody_waits(queue, thread, monkeypatch):
    monkeypatch.setattr(pubsub, "LINGER_SECONDS", 0.0)
    monkeypatch.setattr(pubsub, "LOOK_SECONDS", 0.05)
    queue.receive_messages("q", wait_seconds=0.1)
    assert eventually(
        lambda: not any(thread.name == "wake-ups" for thread in threading.enumerate()), what="the end"
    )


@pytest.mark.usefixtures("slow_poll")
def test_a_wait_continues_after_its_listener_was_cut_off(redis_server, queue, thread, monkeypatch):
    monkeypatch.setattr(pubsub, "LOOK_SECONDS", 0.1)
    with CuttingProxy(redis_server.port) as proxy:
        client = QueueClient(redis.Redis.from_url(proxy.url))
        future = waiting_receive(thread, client)
        proxy.refuse = True
        proxy.cut_all()
        eventually(lambda: listeners(queue) == 0, what="the cut")
        proxy.refuse = False
        eventually(lambda: listeners(queue) == 1, what="a new listener")
        queue.send_message("q", "a")
        assert [message.body for message in future.result(HANG_SECONDS)] == ["a"]
        client.redis.close()


def test_a_redis_that_goes_away_ends_the_wait_with_an_error(redis_server, queue, thread, monkeypatch):
    monkeypatch.setattr(receiving, "POLL_SECONDS", 0.2)
    with CuttingProxy(redis_server.port) as proxy:
        client = QueueClient(redis.Redis.from_url(proxy.url, socket_timeout=2.0))
        future = waiting_receive(thread, client)
        proxy.refuse = True
        with pytest.raises(QueueUnavailable):
            future.result(HANG_SECONDS)
        client.redis.close()
