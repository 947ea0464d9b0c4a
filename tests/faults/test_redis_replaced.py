"""Another Redis takes the place of the first one: an empty one, or the replica."""

from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from tests.support.chronicle import Chronicle
from tests.support.cutting_proxy import CuttingProxy
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def test_a_worker_continues_with_a_redis_that_has_lost_all_data(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    server = own_redis()
    with worker("slow", "ledger", redis_url=server.url) as process, server.connect() as connection:
        client = QueueClient(connection)
        eventually(lambda: "slow" in client.list_queues(), of=process)
        forgotten = client.send_message("slow", "2 forgotten meanwhile")
        eventually(lambda: forgotten in ledger.ids("start"), of=process)
        server.kill()
        server.start()
        eventually(lambda: {"slow", "ledger"} <= set(client.list_queues()), of=process)
        ids = [client.send_message(queue, "0 after it") for queue in ("slow", "ledger") for _ in range(5)]
        eventually(lambda: set(ids) <= diary.ids("done"), of=process)
        eventually(lambda: forgotten in ledger.ids("end"), of=process)
        process.wait_for_line(f"{forgotten} gone: its outcome was refused")
        assert "Traceback" not in process.output
    ledger.assert_each_ran_once([forgotten, *ids])


def test_nothing_acknowledged_is_lost_when_the_replica_takes_over(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    kept = {"appendonly": True, "appendfsync": "no"}
    master, replica = own_redis(**kept), own_redis(**kept)
    with (
        replica.connect() as to_replica,
        master.connect() as to_master,
        CuttingProxy(master.port) as proxy,
        worker("brisk", "--threads", "4", redis_url=proxy.url) as process,
    ):
        to_replica.replicaof("127.0.0.1", str(master.port))
        eventually(lambda: to_replica.info("replication")["master_link_status"] == "up")
        sender = connect(Config(URL=proxy.url, TIMEOUT=1))
        eventually(lambda: "brisk" in sender.list_queues(), of=process)
        ids = sender.send_messages("brisk", [str(number) for number in range(3000)])
        eventually(lambda: ledger.count("end") > 300, of=process)
        assert to_master.wait(1, 5000) == 1
        master.kill()
        proxy.target_port = replica.port
        proxy.cut_all()
        with pytest.raises(QueueUnavailable):
            sender.send_message("brisk", "a replica takes nothing")
        to_replica.replicaof("NO", "ONE")
        ids.append(sender.send_message("brisk", "taken by the new master"))
        eventually(lambda: diary.ids("done") == set(ids), of=process)
        assert process.is_running
        process.stop()
        invariants = Invariants(QueueClient(to_replica), ledger, Chronicle(replica.folder))
        invariants.sent("brisk", ids)
        # The last writes of the old master may not have reached the replica. These jobs run again.
        invariants.check(faults=1, drained=["brisk"])
