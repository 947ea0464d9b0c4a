"""Redis answers with errors for longer than the lease: for a worker this equals an outage of Redis."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from queueing.monitoring.workers import read_workers
from tests.support.redis_server import RedisServer
from tests.support.threads import in_thread
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .scene import Scene

#: Seconds by which a refusal outlasts the lease.
BEYOND_SECONDS = 1.0
LEASE_SECONDS = 5.0


@contextmanager
def read_only(server: RedisServer, connection: redis.Redis) -> Iterator[None]:
    """A failover makes it a replica, and the next failover a primary again."""
    connection.execute_command("REPLICAOF", "127.0.0.1", "1")
    yield
    connection.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def without_replicas(server: RedisServer, connection: redis.Redis) -> Iterator[None]:
    connection.config_set("min-replicas-to-write", 1)
    yield
    connection.config_set("min-replicas-to-write", 0)


@contextmanager
def unable_to_save(server: RedisServer, connection: redis.Redis) -> Iterator[None]:
    """A folder takes the name of the file, so no snapshot can be written."""

    def last_save() -> str:
        return connection.info("persistence")["rdb_last_bgsave_status"]

    connection.config_set("save", "3600 100000")
    obstacle = server.folder / "dump.rdb"
    obstacle.mkdir()
    connection.bgsave()
    eventually(lambda: last_save() == "err")
    yield
    obstacle.rmdir()
    connection.bgsave()
    eventually(lambda: last_save() == "ok")


@contextmanager
def busy(server: RedisServer, connection: redis.Redis) -> Iterator[None]:
    """Another client runs a script that does not end."""
    connection.config_set("lua-time-limit", 50)

    def loop() -> None:
        killed = pytest.raises(redis.ResponseError, match="SCRIPT KILL")
        with server.connect(socket_timeout=None) as other, killed:
            other.eval("while true do end", 0)

    with in_thread(loop, end=lambda: eventually(connection.script_kill)):
        eventually(lambda: is_busy(connection))
        yield


def is_busy(connection: redis.Redis) -> bool:
    try:
        connection.get("any")
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


@pytest.mark.parametrize("refusing", [read_only, without_replicas, unable_to_save, busy])
def test_a_job_runs_once_while_redis_refuses_for_longer_than_its_lease(
    refusing: Callable[..., object], scene: Scene, redis_server: RedisServer, redis_connection: redis.Redis
):
    options = {"env": {"TEST_LEASE": str(LEASE_SECONDS)}}
    with scene.worker("slow", "ledger", **options) as busy_worker:
        message_id = scene.send("14 on the first worker")
        scene.begun(message_id, busy_worker)
        with scene.worker("slow", "ledger", **options) as idle_worker:
            eventually(lambda: len(read_workers(scene.client.session)) == 2, of=idle_worker)
            with refusing(redis_server, redis_connection):
                idle_worker.wait_for_line("waiting for it")
                threading.Event().wait(LEASE_SECONDS + BEYOND_SECONDS)
            scene.done(busy_worker, message_id)
            later = scene.send("0 after it")
            scene.done(busy_worker, message_id, later)
            for worker in (busy_worker, idle_worker):
                assert_tells_once(worker)
    scene.ledger.assert_each_ran_once([message_id, later])
    assert scene.diary.row(message_id)["crashes"] == 0


def assert_tells_once(worker: WorkerProcess) -> None:
    told = [line for line in worker.lines if "Redis" in line or "refuse" in line]
    assert len(told) == 2, worker.output
    assert "waiting for it" in told[0]
    assert "is back" in told[1]
