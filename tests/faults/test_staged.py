"""``kill -9`` at every step between the commit of a transaction and the end of its jobs.

Each message of a committed transaction runs and was sent once. Those of the others never run.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, environment, migrate

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.staged_settings"}
QUEUE = "brisk"


def run_program(step: str, count: int, redis_server: RedisServer, database: Path) -> Program:
    program = Program(
        [sys.executable, "-m", "tests.faults.staging_program", step, str(count)],
        env={**environment(redis_server.url, database), **SETTINGS},
        name="staging",
    )
    program.run()
    return program


def committed(diary: Diary) -> list[str]:
    """The ids of the messages of all committed transactions, in their order."""
    return [id for (name,) in diary.query("SELECT name FROM auth_group ORDER BY id") for id in name.split()]


def staged(diary: Diary) -> int:
    [(count,)] = diary.query("SELECT count(*) FROM queueing_stagedmessage")
    return int(count)


def assert_sent_once(ids: list[str], client: QueueClient, invariants: Invariants, *, faults: int) -> None:
    assert client.get_queue_attributes(QUEUE).totalsent == len(ids)
    invariants.sent(QUEUE, ids)
    invariants.check(faults=faults, drained=[QUEUE])


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("before the commit", 0),
        ("after the commit", 3),
        ("after the send", 3),
        ("after the delete", 0),
        ("relay before the send", 15),
        ("relay after the send", 15),
        ("relay after the delete", 0),
    ],
)
def test_a_process_that_is_killed_loses_and_doubles_nothing(
    step: str,
    left: int,
    redis_server: RedisServer,
    database: Path,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    killed = run_program(step, 5, redis_server, database)
    assert not killed.is_running
    ids = committed(diary)
    assert len(ids) == (12 if step == "before the commit" else 15), killed.tail()
    assert staged(diary) == left
    with worker(QUEUE, env=SETTINGS) as process:
        eventually(lambda: len(set(ledger.ids("end"))) == len(ids) and not staged(diary), of=process)
    ledger.assert_each_ran_once(ids)
    assert_sent_once(ids, client, invariants, faults=0)


def test_a_crash_of_postgresql_brings_back_no_row_that_a_relay_has_sent(
    redis_server: RedisServer, database: Path, client: QueueClient
):
    """Redis forgets its sender ten minutes later, and would take the row for a new one."""
    with PostgresServer(wal_writer_delay="10s") as postgres:
        migrate(postgres.url)
        env = {**environment(redis_server.url, database), **SETTINGS, "DATABASE_URL": postgres.url}
        program = [sys.executable, "-m", "tests.faults.staging_program", "relay after the delete", "2"]
        Program(program, env=env, name="staging").run()
        postgres.kill()
        postgres.restart()
        assert client.get_queue_attributes(QUEUE).totalsent == 6
        assert postgres.query("SELECT count(*) FROM queueing_stagedmessage") == [(0,)]


def test_messages_are_sent_although_staging_was_switched_off(
    redis_server: RedisServer,
    database: Path,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    run_program("never sent", 3, redis_server, database)
    ids = committed(diary)
    with worker(QUEUE) as process:
        eventually(lambda: set(ledger.ids("end")) == set(ids) and not staged(diary), of=process)
    ledger.assert_each_ran_once(ids)


def test_the_relay_and_redis_are_killed_in_the_middle(
    redis_server: RedisServer,
    database: Path,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    run_program("never sent", 300, redis_server, database)
    ids = committed(diary)
    assert staged(diary) == len(ids) == 900
    client.create_queue(QUEUE)

    def sent() -> int:
        return client.get_queue_attributes(QUEUE).totalsent

    for kill in range(3):
        before = sent()
        with worker(QUEUE, "--threads", "4", env=SETTINGS) as process:
            eventually(lambda before=before: sent() > before or not staged(diary), of=process)
            if kill == 1:
                redis_server.kill()
                process.kill_group()
                redis_server.restart()
            process.kill_group()

    def drained() -> bool:
        # A run that ended just before its worker was killed is settled only by its next delivery.
        return not staged(diary) and client.get_queue_attributes(QUEUE).msgs == 0

    with worker(QUEUE, "--threads", "4", env=SETTINGS) as process:
        eventually(drained, of=process, within_seconds=90)
    assert set(ledger.ids("end")) == set(ids)
    assert_sent_once(ids, client, invariants, faults=3)
