"""A slow or unresponsive database delays only the history."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import psycopg
import pytest

from queueing.client import QueueClient
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate

#: Seconds. A machine that stalls for less than three of them costs no lease.
LEASE = 5


@pytest.fixture(scope="module")
def _cluster() -> Iterator[PostgresServer]:
    with PostgresServer(max_connections="8") as postgres:
        migrate(postgres.url)
        yield postgres


@pytest.fixture
def postgres(_cluster: PostgresServer) -> PostgresServer:
    for table in ("queueing_attempt", "queueing_job"):
        _cluster.query(f"DELETE FROM {table} RETURNING id")
    return _cluster


def test_a_stalled_database_delays_no_lease_and_no_job(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    invariants: Invariants,
    postgres: PostgresServer,
):
    client.create_queue("ledger")
    client.create_queue("slow")
    env = {"DATABASE_URL": postgres.url, "TEST_LEASE": str(LEASE)}
    with worker("slow", "ledger", "--threads", "2", env=env) as process:
        ids = client.send_messages("ledger", ["before"] * 10)
        eventually(lambda: len(postgres.last_outcomes()) == 10, of=process)
        with psycopg.connect(postgres.url) as lock:
            lock.execute("LOCK TABLE queueing_job IN ACCESS EXCLUSIVE MODE")
            ids += client.send_messages("ledger", ["meanwhile"] * 500)
            ids += [client.send_message("slow", f"{2 * LEASE} longer than its lease")]
            eventually(lambda: ledger.count("end") == len(ids), of=process)
            eventually(lambda: client.get_queue_attributes("slow").msgs == 0, of=process)
            assert client.redis.xlen("rsmq::outbox") > 0
        eventually(lambda: len(postgres.last_outcomes()) == len(ids), of=process)
    ledger.assert_each_ran_once(ids)
    invariants.check(faults=0, drained=["ledger", "slow"], diary=postgres)


def test_the_recorder_waits_for_a_database_without_a_free_connection(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    invariants: Invariants,
    postgres: PostgresServer,
):
    client.create_queue("ledger")
    with ExitStack() as hogs:
        with suppress(psycopg.OperationalError):
            while True:
                hogs.enter_context(psycopg.connect(postgres.url))
        with pytest.raises(psycopg.OperationalError, match="too many|remaining connection slots"):
            psycopg.connect(postgres.url)
        with worker("ledger", env={"DATABASE_URL": postgres.url}) as process:
            ids = client.send_messages("ledger", ["crowded"] * 200)
            eventually(lambda: ledger.count("end") == len(ids), of=process)
            process.wait_for_line("the history waits in Redis")
            eventually(lambda: client.get_queue_attributes("ledger").msgs == 0, of=process)
            hogs.close()
            eventually(lambda: len(postgres.last_outcomes()) == len(ids), of=process)
    ledger.assert_each_ran_once(ids)
    invariants.check(faults=0, drained=["ledger"], diary=postgres)
