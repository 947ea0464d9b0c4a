"""Partitions on the nodes of a cluster, behind sentinels, and shared with an RSMQ program of Node."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

import queueing
from queueing.client.default import use_client
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.node_programs import VERSIONS
from tests.support.redis_server import RedisServer
from tests.support.sentinel import Sentinels
from tests.support.waiting import HANG_SECONDS, eventually
from tests.support.worker_process import WorkerProcess
from tests.wire.bridge import node_side

PLACES = {"slow": "eu"}

#: Starts a worker of ``brisk`` on the default partition and of ``slow`` on the partition "eu". Its arguments
#: are the address and the namespace of the default partition, and the settings of "eu".
Start = Callable[[str, str, dict[str, str]], WorkerProcess]


@pytest.fixture(autouse=True)
def _invariants_of_one_server_do_not_hold(invariants: Invariants) -> None:
    invariants.do_not_hold("the messages are in several servers, and these tests count them")


@pytest.fixture
def start(worker: Callable[..., WorkerProcess], settings: Any) -> Iterator[Start]:
    def start(url: str, namespace: str, eu: dict[str, str]) -> WorkerProcess:
        settings.QUEUEING = {
            "URL": url,
            "NAMESPACE": namespace,
            "TIMEOUT": HANG_SECONDS,
            "QUEUES": ["brisk", "slow"],
            "PARTITIONS": {"eu": eu},
            "PLACES": PLACES,
        }
        use_client(None)
        queueing.create_queues()
        partitions = {"TEST_PARTITIONS": json.dumps({"eu": eu}), "TEST_PLACES": json.dumps(PLACES)}
        process = worker("brisk", "slow", redis_url=url, env={"TEST_NAMESPACE": namespace, **partitions})
        process.start()
        return process

    yield start
    use_client(None)


def send(queue: str, count: int) -> list[str]:
    return [queueing.send_message(queue, "0.01") for _ in range(count)]


def test_partitions_on_two_nodes_of_a_cluster_follow_a_slot_that_moves(
    own_redis: Callable[..., RedisServer], start: Start, ledger: Ledger, diary: Diary
):
    cluster = Cluster(own_redis)
    first = cluster.nodes[0]
    process = start(cluster.url, NAMESPACE, {"NAMESPACE": "{rsmq-1}"})
    sent = [*send("brisk", 20), *send("slow", 20)]
    eventually(lambda: set(sent) <= diary.ids("done"), of=process)
    holders = [holder_of(cluster, namespace) for namespace in (NAMESPACE, "{rsmq-1}")]
    assert holders[0] is first
    assert holders[1] is not first
    cluster.move_slot(first, holders[1])
    more = [*eventually(lambda: send("brisk", 20), of=process), *send("slow", 20)]
    eventually(lambda: set(more) <= diary.ids("done"), of=process)
    ledger.assert_all_ended([*sent, *more], faults=0)


def holder_of(cluster: Cluster, namespace: str) -> RedisServer:
    """The primary that has the queues of a namespace."""
    slot = key_slot(namespace.encode())
    with cluster.nodes[0].connect() as connection:
        ranges = connection.execute_command("CLUSTER", "SLOTS")
    [port] = [port for low, high, (_, port, *_), *_ in ranges if low <= slot <= high]
    return next(node for node in cluster.nodes if node.port == port)


def test_a_failover_of_one_partition_does_not_concern_the_other(
    own_redis: Callable[..., RedisServer], tmp_path: Path, start: Start, ledger: Ledger, diary: Diary
):
    default = own_redis(appendonly=True, appendfsync="no")
    with Sentinels(tmp_path / "sentinels", own_redis) as sentinels:
        process = start(default.url, "rsmq", {"URL": sentinels.url})
        before = [*send("brisk", 5), *send("slow", 5)]
        eventually(lambda: set(before) <= diary.ids("done"), of=process)
        old = sentinels.primary
        old.kill()
        during = send("brisk", 20)
        eventually(lambda: set(during) <= diary.ids("done"), of=process)
        sentinels.wait_for_another(old)
        after = eventually(lambda: send("slow", 20), of=process)
        eventually(lambda: set(after) <= diary.ids("done"), of=process)
        process.stop()
    assert "is restarted" not in process.output


@pytest.mark.parametrize("version", VERSIONS)
def test_a_node_program_joins_one_partition_as_an_ordinary_namespace(
    own_redis: Callable[..., RedisServer], start: Start, diary: Diary, version: str
):
    default, eu = own_redis(), own_redis()
    process = start(default.url, "rsmq", {"URL": eu.url, "NAMESPACE": "shop"})
    with node_side(version, eu.port, ns="shop") as node:
        assert node.call("listQueues") == ["slow"]
        sent = node.call("sendMessage", qname="slow", message="0.01", realtime=True)
        eventually(lambda: sent in diary.ids("done"), of=process)
        process.stop()
        ours = queueing.send_message("slow", "for Node")
        received = node.call("receiveMessage", qname="slow")
        assert (received["id"], received["message"]) == (ours, "for Node")
        assert node.call("deleteMessage", qname="slow", id=ours) == 1
    assert queueing.get_client().peek_message("slow", ours) is None
