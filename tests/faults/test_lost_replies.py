"""Lost replies: nothing runs twice, and nothing is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from queueing.client import AsyncQueueClient, QueueClient
from queueing.client.default import connect
from queueing.conf import get_conf
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually
from tests.support.worker_process import WorkerProcess

SENDS = 1000


def warmed_up(process: WorkerProcess, client: QueueClient, ledger: Ledger) -> str:
    """Let the worker run one message, so that it is idle and waits. Returns the id."""
    message_id = client.send_message("ledger", "warm up")
    eventually(lambda: message_id in ledger.ids("end"), of=process)
    return message_id


def send_in_threads(sender: QueueClient) -> list[str]:
    with Threads(16) as threads:
        return list(threads.map(lambda n: sender.send_message("ledger", f"send {n}"), range(SENDS)))


def send_in_a_loop(sender: QueueClient) -> list[str]:
    client, free = AsyncQueueClient(sender), asyncio.Semaphore(16)

    async def send(number: int) -> str:
        async with free:
            return await client.send_message("ledger", f"send {number}")

    async def send_all() -> list[str]:
        return await asyncio.gather(*map(send, range(SENDS)))

    return asyncio.run(send_all())


@pytest.mark.parametrize("send", [send_in_threads, send_in_a_loop])
def test_a_send_with_a_lost_reply_runs_once_even_if_a_worker_is_faster_than_its_repeat(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    send: Callable[[QueueClient], list[str]],
):
    client.create_queue("ledger")
    with worker("ledger") as idle, CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        first = warmed_up(idle, client, ledger)
        # On a busy machine a repeat may take longer than a page may wait.
        sender = connect(replace(get_conf(), URL=proxy.url, TIMEOUT=HANG_SECONDS), connections=16)
        ids = send(sender)
        assert proxy.rule.cut == SENDS
        eventually(lambda: client.get_queue_attributes("ledger").msgs == 0, of=idle)
        assert idle.is_running
    assert len(set(ids)) == SENDS
    ledger.assert_each_ran_once([first, *ids])
    assert client.get_queue_attributes("ledger").totalsent == SENDS + 1


def test_a_claim_or_settle_with_a_lost_reply_orphans_nothing_and_runs_nothing_twice(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    client.create_queue("ledger")
    with CuttingProxy(redis_server.port, CutEachOnce(limit=60)) as proxy:
        ids: list[str] = []
        with worker("ledger", redis_url=proxy.url) as process:
            for number in range(30):  # so that it claims many times, not once
                ids += client.send_messages("ledger", [f"{number}, {part}" for part in range(10)])
                ended = partial(lambda count: ledger.count("end") >= count, len(ids))
                eventually(ended, of=process)
            eventually(lambda: diary.ids("done") == set(ids), of=process)
            assert process.is_running
        assert proxy.rule.cut >= 20
    ledger.assert_each_ran_once(ids)
    assert client.get_queue_attributes("ledger").msgs == 0
    assert {diary.row(message_id)["crashes"] for message_id in ids[:50]} == {0}


def test_a_worker_continues_after_a_redis_that_accepted_its_calls_and_never_answered(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    client.create_queue("ledger")
    with CuttingProxy(redis_server.port) as proxy, worker("ledger", redis_url=proxy.url) as process:
        first = warmed_up(process, client, ledger)
        proxy.half_open = True
        ids = client.send_messages("ledger", [str(number) for number in range(20)])
        connected = proxy.accepted
        eventually(lambda: proxy.accepted > connected, of=process)
        assert ledger.ids("end") == [first]
        proxy.half_open = False
        eventually(lambda: diary.ids("done") == {first, *ids}, of=process)
    ledger.assert_each_ran_once([first, *ids])
