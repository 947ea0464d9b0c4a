"""A primary with two replicas under three sentinels: everything follows a failover, under load.

Redis replicates asynchronously, so a failover may lose what was acknowledged a moment before. These tests
count it, and show that nothing is lost with ``DURABLE``.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from queueing.client import AsyncQueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueError
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.network import Network
from tests.support.redis_server import RedisServer
from tests.support.sentinel import REPLICAS, Sentinels
from tests.support.waiting import HANG_SECONDS, eventually
from tests.support.web_process import Visitor, WebProcess
from tests.support.worker_process import WorkerProcess

from .nemesis.traffic import Traffic

#: A message that is sent after the failover begins within this time. Sentinels may take 10 s and more to
#: attach a replica, and sends may need its confirmation.
GAP_SECONDS = 30.0
#: A run that began this long after the failover was not touched by it.
TOUCHED_SECONDS = 1.0

Figure = Callable[[str], None]


@pytest.fixture(autouse=True)
def _invariants_of_one_server_do_not_hold(invariants: Invariants) -> None:
    invariants.do_not_hold("the data moves from server to server, and these tests count what is lost")


@pytest.fixture
def sentinels(tmp_path: Path, own_redis: Callable[..., RedisServer]) -> Iterator[Sentinels]:
    # A primary that is cut off refuses writes, so its clients leave it.
    with Sentinels(tmp_path / "sentinels", own_redis, min_replicas_to_write="1") as started:
        yield started


class Load:
    """A worker for ``brisk`` and a thread that sends to it, and what became of each message."""

    def __init__(
        self, url: str, worker: WorkerProcess, ledger: Ledger, *, durable: int = 0, namespace: str = "rsmq"
    ) -> None:
        self.worker, self.ledger = worker, ledger
        config = Config(URL=url, TIMEOUT=1, DURABLE=durable, NAMESPACE=namespace)
        self.client = connect(config, connections=1)
        self.sent_at_ms: dict[str, float] = {}
        self.refused = 0
        self._traffic = Traffic("load", self._send, 0.002)

    def _send(self) -> None:
        try:
            message_id = self.client.send_message("brisk", "text")
        except QueueError:
            self.refused += 1
        else:
            self.sent_at_ms[message_id] = time.time() * 1000

    def __enter__(self) -> "Load":
        self.worker.start()
        eventually(lambda: "brisk" in self.client.list_queues(), of=self.worker)
        self._traffic.__enter__()
        eventually(lambda: self.ledger.count("end") > 100, of=self.worker)
        return self

    def __exit__(self, *exception: object) -> None:
        self._traffic.__exit__(*exception)
        self.worker.stop()
        self.client.redis.close()

    def ran_after(self, at_ms: float) -> float:
        """Wait until a message that was sent after ``at_ms`` has begun. Returns the seconds between."""

        def first() -> float | None:
            begun = {entry.message_id: entry.at_ms for entry in self.ledger.entries("start")}
            later = [begun[id] for id, sent in list(self.sent_at_ms.items()) if sent > at_ms and id in begun]
            return min(later, default=None)

        return (eventually(first, of=self.worker, every_seconds=0.1) - at_ms) / 1000

    def lost(self) -> set[str]:
        """Stop sending, wait until the queue is empty, and return what was acknowledged and never ran."""
        self._traffic.__exit__()
        eventually(self._is_drained, of=self.worker, every_seconds=0.1)
        return set(self.sent_at_ms) - set(self.ledger.ids("end"))

    def _is_drained(self) -> bool:
        return self.client.get_queue_attributes("brisk").msgs == 0

    def assert_repeats_are_explained(self, failover_ms: float) -> None:
        """A message runs twice only if it was touched by the one failover."""
        first: dict[str, float] = {}
        for entry in self.ledger.entries("start"):
            first.setdefault(entry.message_id, entry.at_ms)
        runs = Counter(self.ledger.ids("start"))
        twice = {id for id, count in runs.items() if count > 1}
        assert max(runs.values()) <= 2
        assert not [id for id in twice if first[id] > failover_ms + TOUCHED_SECONDS * 1000]


def crash(sentinels: Sentinels) -> None:
    sentinels.primary.kill()


def order(sentinels: Sentinels) -> None:
    sentinels.fail_over()


def isolate(sentinels: Sentinels) -> None:
    """Cut the primary off from replicas and sentinels. Its clients still reach it."""
    sentinels.lock_out_insiders(sentinels.primary)


#: Each fault with the replicas that must confirm a send. After a crash the one with most data takes over. An
#: ordered failover takes any of them.
FAULTS = [(crash, 0), (order, 0), (crash, 1), (order, REPLICAS), (isolate, 1)]


@pytest.mark.parametrize(("fault", "durable"), FAULTS)
def test_everything_follows_a_failover_and_what_is_lost_is_counted(
    fault: Callable[[Sentinels], None],
    durable: int,
    sentinels: Sentinels,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    figure: Figure,
):
    process = worker("brisk", "--threads", "4", redis_url=sentinels.url)
    with Load(sentinels.url, process, ledger, durable=durable) as load:
        old = sentinels.primary
        fault(sentinels)
        sentinels.wait_for_another(old)
        failover_ms = time.time() * 1000
        gap_seconds, lost = outcome(load, diary, failover_ms)
    figure(
        f"{fault.__name__}, DURABLE={durable}: {len(load.sent_at_ms)} sends acknowledged, {len(lost)} lost, "
        f"next run {gap_seconds:.1f} s after the new primary"
    )
    load.assert_repeats_are_explained(failover_ms)
    assert not (lost and durable)
    assert gap_seconds < GAP_SECONDS
    assert "Traceback" not in process.output


def outcome(load: Load, diary: Diary, failover_ms: float) -> tuple[float, set[str]]:
    """Wait for the end of all messages. Returns the seconds until the first run of a message that was sent
    after the failover, and the messages that are lost.
    """
    gap_seconds = load.ran_after(failover_ms)
    lost = load.lost()
    later = {id for id, sent_ms in load.sent_at_ms.items() if sent_ms > failover_ms}
    eventually(
        lambda: later <= diary.ids("done"),
        what=lambda: f"done: {later - diary.ids('done')} of {diary.states()}",
        of=load.worker,
    )
    return gap_seconds, lost


#: With these options a primary without replicas refuses writes after a second.
REFUSES = {"min_replicas_to_write": "1", "min_replicas_max_lag": "1"}


@pytest.mark.parametrize("durable", [0, 1])
@pytest.mark.parametrize("options", [REFUSES, {}], ids=["refuses", "accepts"])
def test_a_primary_that_its_network_parts_from_the_others_loses_no_durable_send(
    options: dict[str, str],
    durable: int,
    tmp_path: Path,
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    figure: Figure,
):
    with Network() as network, Sentinels(tmp_path, own_redis, hosts=network.hosts, **options) as sentinels:
        process = worker("brisk", "--threads", "4", redis_url=sentinels.url)
        with (
            Load(sentinels.url, process, ledger, durable=durable) as load,
            sentinels.primary.connect() as old,
        ):
            before = sentinels.primary
            network.part()
            parted_ms = time.time() * 1000
            sentinels.wait_for_another(before)
            assert old.role()[0] == b"master"
            if not options:
                # Its clients stay with it until the sentinels reach it again and make it a replica.
                network.join()
                eventually(lambda: old.role()[0] == b"slave")
            failover_ms = time.time() * 1000
            gap_seconds, lost = outcome(load, diary, failover_ms)
            network.join()
    apart = sum(parted_ms < sent_ms < failover_ms for sent_ms in load.sent_at_ms.values())
    figure(
        f"parted, {'min-replicas' if options else 'no min-replicas'}, DURABLE={durable}: "
        f"{len(load.sent_at_ms)} sends acknowledged, {apart} of them while parted, {len(lost)} lost, "
        f"next run {gap_seconds:.1f} s after its clients had to leave it"
    )
    load.assert_repeats_are_explained(failover_ms)
    assert not (lost and durable)
    assert gap_seconds < GAP_SECONDS
    assert "Traceback" not in process.output


def test_a_page_is_not_ready_without_a_primary_and_follows_it(
    sentinels: Sentinels, database: Path, collected_static: None
):
    database_url = f"sqlite:///{database}"
    with WebProcess(redis_url=sentinels.url, database_url=database_url) as web:
        visitor = Visitor(web.port)
        eventually(lambda: visitor.press().status == 202, of=web)
        assert visitor.get("/readyz").status == 200
        sentinels.primary.kill()
        assert visitor.get("/readyz").status == 503
        eventually(lambda: visitor.get("/readyz").status == 200, of=web)
        eventually(lambda: visitor.press().status == 202, of=web)


def test_an_event_loop_follows_the_primary_and_its_replicas_confirm_a_send(sentinels: Sentinels):
    client = AsyncQueueClient(connect(Config(URL=sentinels.url, TIMEOUT=1, DURABLE=1)))

    async def send() -> str:
        end = time.monotonic() + HANG_SECONDS
        while True:
            try:
                return await client.send_message("q", "text")
            except QueueError:
                assert time.monotonic() < end
                await asyncio.sleep(0.1)

    async def follow() -> None:
        await client.create_queue("q")
        sent = [await send()]
        old = sentinels.primary
        waiting = asyncio.create_task(client.receive_messages("q", 2, wait_seconds=30))
        assert [message.id for message in await waiting] == sent
        sentinels.fail_over()
        await asyncio.to_thread(sentinels.wait_for_another, old)
        assert await send() in [message.id for message in await client.receive_messages("q", 10)]

    asyncio.run(follow())
    client.of.redis.close()


def test_a_receive_that_waits_follows_the_primary(sentinels: Sentinels):
    client = connect(Config(URL=sentinels.url, TIMEOUT=1))
    client.create_queue("q")
    old = sentinels.primary
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.receive_messages, "q", wait_seconds=30)
        sentinels.fail_over()
        sentinels.wait_for_another(old)
        sent = eventually(lambda: client.send_message("q", "text"))
        assert [message.id for message in waiting.result(60)] == [sent]
    client.redis.close()
