"""Database connections of jobs keep no state of a run, and a connection that the server closed is not
used.
"""

from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.invariants import Invariants
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate

OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
OPEN = f"SELECT count(*) {OTHERS} AND state LIKE 'idle in transaction%' AND now() - state_change > '0.3 s'"


@pytest.mark.parametrize("queue", ["asking", "asking-async"])
def test_connections_are_cleaned_up_between_runs(
    queue: str, client: QueueClient, worker: Callable[..., WorkerProcess], invariants: Invariants
):
    invariants.do_not_hold("these handlers keep no ledger")
    client.create_queue(queue)
    with PostgresServer() as postgres:
        migrate(postgres.url)
        env = {"DATABASE_URL": postgres.url, "TEST_APPS": "tests.faults.connected_app", "DEBUG": "1"}
        with worker(queue, env=env) as process:

            def run(body: str) -> None:
                id = client.send_message(queue, body)
                told = f"SELECT state, rc FROM queueing_job WHERE message_id = '{id}'"
                eventually(lambda: postgres.query(told) == [("done", 1)], of=process)

            run("first")
            run("begin")
            eventually(lambda: postgres.query(OPEN) == [(0,)], of=process)
            run("after a transaction")
            postgres.query(f"SELECT pg_terminate_backend(pid) {OTHERS}")
            run("after the server closed it")
            seen = [line.rpartition(" ") for line in process.lines if line.startswith("SEEN")]
    assert [kept for _, _, kept in seen] == ["0"] * 4
