"""A cluster: everything follows the queues to another node, under load, and nothing is lost by a move."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from queueing.client import AsyncQueueClient, sweep
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueRefused
from queueing.messages import Message
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.node_programs import VERSIONS
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import HANG_SECONDS, eventually
from tests.support.worker_process import WorkerProcess, environment
from tests.wire.bridge import RsmqError, node_side

from .test_sentinels import Load
from .test_staged import SETTINGS as STAGED

MOVES = 4
#: The methods of RSMQ whose scripts pass numbers as keys, so a cluster refuses them.
TAKING = {"receiveMessage": {}, "popMessage": {}, "changeMessageVisibility": {"id": "0" * 32, "vt": 1}}


@pytest.fixture(autouse=True)
def _invariants_of_one_server_do_not_hold(invariants: Invariants) -> None:
    invariants.do_not_hold("the data moves from node to node, and these tests count what is lost")


@pytest.fixture
def cluster(own_redis: Callable[..., RedisServer]) -> Cluster:
    return Cluster(own_redis)


@pytest.fixture
def load(cluster: Cluster, worker: Callable[..., WorkerProcess], ledger: Ledger) -> Load:
    env = {"TEST_NAMESPACE": NAMESPACE}
    process = worker("brisk", "--threads", "4", redis_url=cluster.url, env=env)
    return Load(cluster.url, process, ledger, namespace=NAMESPACE)


def test_a_slot_that_moves_while_it_is_used_loses_and_repeats_nothing(
    cluster: Cluster, load: Load, ledger: Ledger, diary: Diary, figure: Callable[[str], None]
):
    first, second, *_ = cluster.nodes
    with load:
        for _ in range(MOVES // 2):
            for source, target in ((first, second), (second, first)):
                cluster.move_slot(source, target)
                load.ran_after(time.time() * 1000)
        assert not load.lost()
        eventually(lambda: set(load.sent_at_ms) <= diary.ids("done"), of=load.worker)
    assert max(Counter(ledger.ids("start")).values()) == 1
    assert "Traceback" not in load.worker.output
    figure(f"{MOVES} moves of the slot: {len(load.sent_at_ms)} sends acknowledged, 0 lost, 0 run twice")


def test_scripts_do_not_see_the_key_that_is_added_in_a_cluster(cluster: Cluster, database: Path):
    env = {**environment(cluster.url, database), "TEST_NAMESPACE": NAMESPACE, **STAGED}
    staging = Program(
        [sys.executable, "-m", "tests.faults.staging_program", "", "3"], env=env, name="staging"
    )
    assert staging.run() == 0, staging.tail()
    client = connect(Config(URL=cluster.url, NAMESPACE=NAMESPACE))
    assert client.get_queue_attributes("brisk").totalsent == 9
    assert sweep.spoilt_keys(client.session, ["brisk"]) == []


def test_everything_follows_a_failover_in_a_cluster(
    cluster: Cluster, load: Load, diary: Diary, figure: Callable[[str], None]
):
    old, *_, replica = cluster.nodes
    with load:
        old.kill()
        eventually(lambda: cluster.owner(asked=1) == replica.port)
        failover_ms = time.time() * 1000
        gap_seconds = load.ran_after(failover_ms)
        lost = load.lost()
        later = {id for id, sent_ms in load.sent_at_ms.items() if sent_ms > failover_ms}
        eventually(lambda: later <= diary.ids("done"), of=load.worker)
    load.assert_repeats_are_explained(failover_ms)
    assert "Traceback" not in load.worker.output
    figure(
        f"failover in a cluster: {len(load.sent_at_ms)} sends acknowledged, {len(lost)} lost, "
        f"next run {gap_seconds:.1f} s after the new primary"
    )


def test_an_event_loop_follows_a_slot_that_moves(cluster: Cluster):
    first, second, *_ = cluster.nodes
    client = AsyncQueueClient(connect(Config(URL=cluster.url, TIMEOUT=5, NAMESPACE=NAMESPACE)))
    sent: list[str] = []

    async def send_while_it_moves() -> None:
        await client.create_queue("q")
        moving = asyncio.create_task(asyncio.to_thread(cluster.move_slot, first, second))
        while not moving.done():
            sent.append(await client.send_message("q", "text"))
        await moving
        sent.append(await client.send_message("q", "text"))
        assert (await client.get_queue_attributes("q")).totalsent == len(sent)

    asyncio.run(send_while_it_moves())
    assert len(set(sent)) == len(sent) > 1
    client.of.redis.close()


def test_announcements_stay_on_the_node_of_the_queues_and_follow_them(cluster: Cluster):
    first, second, *_ = cluster.nodes
    client = connect(Config(URL=cluster.url, TIMEOUT=5, NAMESPACE=NAMESPACE))
    client.create_queue("q")

    def listeners(node: RedisServer) -> int:
        with node.connect() as connection:
            return connection.execute_command("PUBSUB", "SHARDNUMSUB", f"{NAMESPACE}:rt:q")[1]

    def receive() -> list[Message]:
        return client.receive_messages("q", wait_seconds=HANG_SECONDS)

    with Threads(1) as threads:
        for source, target in ((first, second), (second, first)):
            waiting = threads.submit(receive)
            eventually(partial(listeners, source))
            cluster.move_slot(source, target)
            eventually(partial(listeners, target))
            assert not waiting.done()
            id = client.send_message("q", "text")
            assert [message.id for message in waiting.result(HANG_SECONDS)] == [id]
    for node in cluster.nodes:
        with node.connect() as connection:
            assert "cmdstat_publish" not in connection.info("commandstats")
    client.redis.close()


def test_nodes_rsmq_can_send_at_the_node_of_the_queues_and_never_receive(cluster: Cluster):
    first, second, *_ = cluster.nodes
    client = connect(Config(URL=cluster.url, TIMEOUT=5, NAMESPACE=NAMESPACE))
    client.create_queue("q")
    with ExitStack() as stack, Threads(1) as threads:
        for version in VERSIONS:
            node = stack.enter_context(node_side(version, first.port, ns=NAMESPACE))
            sent = client.send_message("q", "to Node")
            for method, more in TAKING.items():
                with pytest.raises(RsmqError, match="CROSSSLOT"):
                    node.call(method, qname="q", **more)
            assert node.call("getQueueAttributes", qname="q")["msgs"] == 1
            assert node.call("deleteMessage", qname="q", id=sent) == 1
            waiting = threads.submit(client.receive_messages, "q", wait_seconds=HANG_SECONDS)
            eventually(lambda: f"{NAMESPACE}:rt:q" in client.wakeups._waiting)
            sent = node.call("sendMessage", realtime=True, qname="q", message="from Node")
            assert [message.id for message in waiting.result(HANG_SECONDS)] == [sent]
            client.delete_message("q", sent)
        cluster.move_slot(first, second)
        with pytest.raises(RsmqError, match="EXECABORT"):
            node.call("sendMessage", qname="q", message="lost its way")
    client.redis.close()


def test_a_call_is_refused_at_the_door_while_its_slot_moves(cluster: Cluster):
    first, second, *_ = cluster.nodes
    client = connect(Config(URL=cluster.url, TIMEOUT=1, NAMESPACE=NAMESPACE))
    client.create_queue("q")
    with first.connect() as connection:
        connection.execute_command("CLUSTER", "SETSLOT", cluster.slot, "MIGRATING", cluster.id_of(second))
        with pytest.raises(QueueRefused, match=r"TRYAGAIN|MOVED") as caught:
            client.list_queues()  # although its key is there
        assert not caught.value.is_lasting
        connection.execute_command("CLUSTER", "SETSLOT", cluster.slot, "STABLE")
    assert client.list_queues() == ["q"]
    client.redis.close()
