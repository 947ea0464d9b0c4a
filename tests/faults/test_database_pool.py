"""A pool of database connections that was opened before the worker forked."""

import importlib.util
import sys
from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.programs import absent
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, WorkerProcess


def test_each_process_of_a_worker_has_its_own_pool(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    if importlib.util.find_spec("psycopg_pool") is None:
        absent("pip install 'psycopg[pool]'")
    with PostgresServer() as server:
        env = {"DJANGO_SETTINGS_MODULE": "tests.faults.pooled_settings", "DATABASE_URL": server.url}
        client.create_queue("asking")
        sent = client.send_messages("asking", list(map(str, range(200))))
        with worker("asking", "--processes", "3", "--threads", "2", env=env) as process:
            migrated = Program([sys.executable, MANAGE, "migrate", "--verbosity", "0"], env=process.env)
            assert migrated.run() == 0, migrated.tail()
            eventually(lambda: len(ledger.ids("end")) >= len(sent), within_seconds=30, of=process)
            eventually(lambda: len(server.last_outcomes()) == len(sent), within_seconds=20, of=process)
            process.terminate()
            assert process.wait(within_seconds=20) == 0, process.tail()
        assert {state for _, state in server.last_outcomes().values()} == {"done"}
    ledger.assert_each_ran_once(sent)
