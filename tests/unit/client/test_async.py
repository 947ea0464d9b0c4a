"""The client of event loops: its connections, lost replies, cancellation, and the end of a loop."""

import asyncio
import gc
import inspect
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured

import queueing
from queueing.client import AsyncQueueClient, QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Config, get_conf
from queueing.exceptions import NotReplicated, QueueNotFound, QueueUnavailable, ReplyLost
from queueing.resilience import deadline
from queueing.signals import message_sent
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy
from tests.support.forks import in_forks
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually

NAME = "async-test"


@pytest.fixture
def threaded(redis_server: RedisServer) -> Iterator[QueueClient]:
    """A client of the settings, with two connections, whose queue ``q`` exists."""
    client = connect(replace(get_conf(), URL=f"{redis_server.url}?client_name={NAME}"))
    client.create_queue("q")
    use_client(client)
    yield client
    use_client(None)
    client.redis.connection_pool.disconnect()


@pytest.fixture
def client(threaded: QueueClient) -> AsyncQueueClient:
    found = queueing.aget_client()
    assert found.of is threaded
    return found


def behind(proxy: CuttingProxy, **more: float) -> AsyncQueueClient:
    return AsyncQueueClient(connect(replace(get_conf(), URL=proxy.url, **{"TIMEOUT": HANG_SECONDS, **more})))


def named(server: RedisServer) -> list[dict[str, str]]:
    """The connections of the clients of a test, at the server."""
    with server.connect() as other:
        return [one for one in other.client_list() if one["name"] == NAME]


# --- connections ------------------------------------------------------------------------------


def test_a_hundred_sends_of_one_loop_share_two_connections_and_start_no_thread(
    client, threaded, redis_server
):
    threads = set(threading.enumerate())

    async def send() -> list[str]:
        ids = await asyncio.gather(*(client.send_message("q", str(n)) for n in range(100)))
        assert set(threading.enumerate()) <= threads
        return ids

    threaded.redis.connection_pool.disconnect()
    connections = []

    async def send_and_count() -> list[str]:
        ids = await send()
        connections.extend(named(redis_server))
        return ids

    ids = asyncio.run(send_and_count())
    assert len(connections) == 2
    received = threaded.receive_messages("q", 200)
    assert {message.id: message.body for message in received} == {id: str(n) for n, id in enumerate(ids)}


def test_a_loop_closes_its_connections_at_its_end_without_a_warning(client, threaded, redis_server):
    threaded.redis.connection_pool.disconnect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for run in (asyncio.run, lambda coroutine: async_to_sync(lambda: coroutine)()):
            assert run(client.list_queues()) == ["q"]
        gc.collect()
    assert [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)] == []
    eventually(lambda: named(redis_server) == [])


def test_loops_of_several_threads_and_the_client_of_threads_send_at_the_same_time(client, threaded):
    async def send() -> list[str]:
        return await asyncio.gather(*(client.send_message("q", "text") for _ in range(50)))

    with Threads(4) as pool:
        looped = [pool.submit(asyncio.run, send()) for _ in range(3)]
        sent = [threaded.send_message("q", "text") for _ in range(50)]
        sent += [id for work in looped for id in work.result(HANG_SECONDS)]
    assert len(set(sent)) == 200 == threaded.get_queue_attributes("q").totalsent


def test_a_fork_uses_connections_of_its_own(client, threaded):
    async def ping() -> None:
        await client.ping()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(ping())
    ids = in_forks(lambda _: asyncio.run(client.send_message("q", "text")), count=2)
    ids.append(loop.run_until_complete(client.send_message("q", "text")))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert sorted(ids) == sorted(message.id for message in threaded.receive_messages("q"))


def test_a_connection_that_the_server_has_closed_is_replaced_before_a_pop(client, redis_server, monkeypatch):
    monkeypatch.setattr("queueing.broker.pool.Pool.FRESH_SECONDS", 0.0)

    async def cut_and_pop() -> str:
        sent = await client.send_message("q", "text")
        with redis_server.connect() as other:
            for one in named(redis_server):
                other.client_kill_filter(_id=one["id"])
        await asyncio.sleep(0.1)
        popped = await client.pop_message("q")
        assert popped.id == sent

    asyncio.run(cut_and_pop())


def test_it_connects_over_tls_as_the_client_of_threads_does(own_redis):
    server = own_redis(tls=True)
    client = AsyncQueueClient(connect(Config(URL=server.url, TLS_VERIFY=False)))
    assert asyncio.run(client.create_queue("q")) == 1
    with pytest.raises(QueueUnavailable, match="certificate"):
        asyncio.run(AsyncQueueClient(connect(Config(URL=server.url))).ping())


def test_an_option_of_tls_that_only_threads_have_is_refused_in_one_sentence(redis_server):
    url = f"rediss://127.0.0.1:{redis_server.port}/0?ssl_validate_ocsp=true"
    use_client(connect(Config(URL=url)))
    with pytest.raises(ImproperlyConfigured, match="does not have the option ssl_validate_ocsp"):
        queueing.aget_client()


# --- repeats ----------------------------------------------------------------------------------


def test_sends_with_lost_replies_are_sent_once_and_a_pop_is_not_repeated(threaded, redis_server):
    with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        client = behind(proxy)

        async def send_and_pop() -> list[str]:
            ids = await asyncio.gather(*(client.send_message("q", str(n)) for n in range(20)))
            with pytest.raises(ReplyLost, match="one message may have been taken"):
                await client.pop_message("q")
            return ids

        ids = asyncio.run(send_and_pop())
    assert threaded.get_queue_attributes("q").totalsent == 20 == len(set(ids))
    assert threaded.get_queue_attributes("q").msgs == 19


def test_an_outage_is_an_error_in_time_and_then_over(threaded, redis_server):
    with CuttingProxy(redis_server.port) as proxy:
        client = behind(proxy, TIMEOUT=0.3)

        async def send() -> str:
            await client.ping()
            proxy.half_open = True
            with pytest.raises(ReplyLost):
                await client.send_message("q", "text")
            with deadline.within(0.2), pytest.raises(QueueUnavailable):
                await client.ping()
            proxy.half_open, proxy.refuse = False, True
            with pytest.raises(QueueUnavailable):
                await client.ping()
            proxy.refuse = False
            return await client.send_message("q", "text")

        assert len(asyncio.run(send())) == 32


def test_a_replica_that_is_missing_is_reported(threaded):
    client = AsyncQueueClient(QueueClient(threaded.redis, durable=1))
    client.of.session._pool.connection_kwargs["socket_timeout"] = 0.4
    with pytest.raises(NotReplicated):
        asyncio.run(client.send_message("q", "text"))
    assert threaded.get_queue_attributes("q").msgs == 1


def test_the_scripts_are_loaded_again_after_redis_has_lost_them(client, redis_server):
    async def send() -> None:
        await client.ping()
        with redis_server.connect() as other:
            other.script_flush()
        await client.send_message("q", "text")

    asyncio.run(send())


# --- cancellation -----------------------------------------------------------------------------


def test_a_cancelled_call_leaves_the_client_usable_and_no_reply_for_the_next_call(threaded, redis_server):
    with CuttingProxy(redis_server.port) as proxy:
        client = behind(proxy)

        async def cancel_and_ask() -> None:
            await client.ping()
            proxy.latency_seconds = 0.3
            ends: list[object] = []
            for _ in range(3):
                sending = [asyncio.create_task(client.send_message("q", "text")) for _ in range(4)]
                await asyncio.sleep(0.02)
                for task in sending:
                    task.cancel()
                ends += await asyncio.gather(*sending, return_exceptions=True)
                assert await client.list_queues() == ["q"]
            # On a very slow machine some had their reply already.
            assert asyncio.CancelledError in map(type, ends)

        asyncio.run(cancel_and_ask())
        proxy.latency_seconds = 0.0
    assert threaded.get_queue_attributes("q").totalsent <= 12


def test_a_time_limit_of_asyncio_ends_a_call_that_waits_for_a_connection(threaded, redis_server):
    with CuttingProxy(redis_server.port) as proxy:
        client = behind(proxy)

        async def wait() -> None:
            await client.ping()
            proxy.half_open = True
            stuck = [asyncio.create_task(client.ping()) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.ping()
            for task in stuck:
                task.cancel()
            proxy.half_open = False
            await client.ping()

        asyncio.run(wait())


def test_a_cancelled_wait_for_messages_ends_its_subscription(client, threaded):
    channel = threaded.keys.channel("q")

    async def wait() -> None:
        waiting = asyncio.create_task(client.receive_messages("q", wait_seconds=HANG_SECONDS))
        while channel not in threaded.wakeups._waiting:
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert channel not in threaded.wakeups._waiting

    asyncio.run(wait())


def test_a_hundred_coroutines_wait_for_messages_with_one_thread(client, threaded):
    before = set(threading.enumerate())

    async def wait() -> list[str]:
        waiting = [client.receive_messages("q", 1, wait_seconds=HANG_SECONDS) for _ in range(100)]
        tasks = list(map(asyncio.create_task, waiting))
        await asyncio.sleep(0.2)
        assert len(set(threading.enumerate()) - before) <= 1
        await client.send_messages("q", ["text"] * 100)
        return [message.id for messages in await asyncio.gather(*tasks) for message in messages]

    assert len(set(asyncio.run(wait()))) == 100


# --- public functions -------------------------------------------------------------------------


def test_the_client_may_be_awaited(client):
    async def get() -> AsyncQueueClient:
        return await queueing.aget_client()

    assert asyncio.run(get()) is client


def test_a_missing_queue_of_the_settings_is_created_by_a_send(threaded, settings):
    settings.QUEUEING = {**settings.QUEUEING, "QUEUES": ["letters"]}
    assert len(asyncio.run(queueing.asend_message("letters", "text", headers={"a": "b"}))) == 32
    assert threaded.receive_message("letters").headers == {"a": "b"}
    with pytest.raises(QueueNotFound):
        asyncio.run(queueing.asend_message("others", "text"))


def test_the_error_of_a_send_to_a_missing_queue_names_the_queue_and_the_remedies(client):
    with pytest.raises(QueueNotFound) as refused:
        asyncio.run(queueing.asend_message("others", "text"))
    remedy = 'Add it to QUEUEING["QUEUES"], or run "manage.py queues create others".'
    assert refused.value.__notes__ == [f"There is no queue named others. {remedy}"]


def test_a_receiver_of_the_signal_runs_outside_of_the_loop(client):
    seen = []

    def receive(ids, **_):
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        seen.extend(ids)

    message_sent.connect(receive)
    try:
        sent = asyncio.run(client.send_message("q", "text"))
    finally:
        message_sent.disconnect(receive)
    assert seen == [sent]


def test_operations_have_the_signatures_and_docstrings_of_the_client_of_threads():
    for name, method in inspect.getmembers(QueueClient, inspect.isfunction):
        if inspect.isgeneratorfunction(inspect.unwrap(method)) and not name.startswith("_"):
            other = getattr(AsyncQueueClient, name)
            assert inspect.iscoroutinefunction(other)
            assert inspect.signature(other) == inspect.signature(method)
            assert other.__doc__ == method.__doc__
