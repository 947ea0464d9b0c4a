"""The database is killed while a worker runs: the queue continues, and the history catches up."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate


def test_the_queue_continues_without_its_database_and_the_history_catches_up(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, invariants: Invariants
):
    client.create_queue("ledger")
    with PostgresServer() as postgres:
        migrate(postgres.url)

        def recorded() -> int:
            [(count,)] = postgres.query("SELECT count(*) FROM queueing_job WHERE state = 'done'")
            return int(str(count))

        with worker("ledger", env={"DATABASE_URL": postgres.url}) as process:
            ids = client.send_messages("ledger", ["before"] * 50)
            eventually(lambda: recorded() == 50, of=process)
            postgres.kill()
            ids += client.send_messages("ledger", ["away"] * 300)
            eventually(lambda: ledger.count("end") == 350, of=process)
            # A run ends a moment before its settle.
            eventually(lambda: client.get_queue_attributes("ledger").msgs == 0, of=process)
            assert process.is_running
            postgres.restart()
            eventually(lambda: recorded() == 350, of=process)
        ledger.assert_each_ran_once(ids)
        invariants.check(faults=0, drained=["ledger"], diary=postgres)
