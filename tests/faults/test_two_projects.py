"""Two projects on one Redis and one namespace: an outbox has one owner, and the other project is refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing.client import QueueClient
from queueing.monitoring.workers import read_workers
from tests.support.diary import Diary
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, WorkerProcess, environment, migrate

REFUSED = "belongs to the database of another project"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The migrated database of the other project."""
    path = tmp_path / "other.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


def run_verb(redis: RedisServer, database: Path, *words: str) -> Program:
    program = Program([sys.executable, MANAGE, "queues", *words], env=environment(redis.url, database))
    assert program.run() == 0, program.tail()
    return program


def test_the_second_project_is_refused_at_its_start_until_it_takes_the_outbox(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    other: Path,
    diary: Diary,
    redis_server: RedisServer,
):
    client.create_queue("ledger")
    client.create_queue("brisk")
    elsewhere = {"DATABASE_URL": f"sqlite:///{other}"}
    with worker("ledger") as first, worker("ledger") as second:  # workers of one project share an outbox
        ids = client.send_messages("ledger", ["first"] * 20)
        eventually(lambda: diary.ids() == set(ids), of=first)
        [brisk] = client.send_messages("brisk", ["of the second project"])

        with worker("brisk", env=elsewhere) as refused:
            assert refused.wait() == 1
        assert REFUSED in refused.output
        assert "take-outbox" in refused.output
        assert REFUSED not in first.output + second.output
        assert client.get_queue_attributes("brisk").msgs == 1

    run_verb(redis_server, other, "take-outbox")
    with worker("brisk", env=elsewhere) as accepted:
        eventually(lambda: Diary(other).ids() == {brisk}, of=accepted)
    assert diary.ids() == set(ids)


def test_a_worker_that_loses_the_outbox_later_claims_nothing_and_logs_it(
    client: QueueClient, worker: Callable[..., WorkerProcess], other: Path, redis_server: RedisServer
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        eventually(lambda: client.redis.get("rsmq::owner"), of=process)
        run_verb(redis_server, other, "take-outbox")
        client.send_message("ledger", "seen before it is known")
        process.wait_for_line(REFUSED)
        eventually(lambda: read_workers(client.session)[0].is_quiet, of=process)
        assert client.get_queue_attributes("ledger").msgs == 0
        client.send_message("ledger", "left alone")
        assert REFUSED in run_verb(redis_server, Path(process.env["DATABASE_URL"][10:]), "list").output
        assert process.output.count(REFUSED) == 1
        assert client.get_queue_attributes("ledger").msgs == 1

        run_verb(redis_server, Path(process.env["DATABASE_URL"][10:]), "take-outbox")
        eventually(lambda: client.get_queue_attributes("ledger").msgs == 0, of=process)
