"""The database answers with errors: outcomes wait in the outbox, complete, until it accepts them."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing.client import QueueClient
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, migrate

WAITS, WRITTEN = "the history waits in Redis", "the history is written again"
ATTEMPTS = """
    SELECT j.body, a.rc, a.error, a.traceback <> ''
    FROM queueing_attempt a JOIN queueing_job j ON j.id = a.job_id
    ORDER BY j.id, a.rc
"""


class Postgres:
    """An empty PostgreSQL."""

    def __init__(self, server: PostgresServer) -> None:
        self.url, self.query = server.url, server.query

    def run(self, *statements: str) -> None:
        for sql in statements:
            self._run(sql)
        # Sessions keep the defaults with which they began.
        self._run(
            "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'; END $$"
        )

    def _run(self, sql: str) -> None:
        import psycopg

        options = "-c default_transaction_read_only=off"
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            connection.execute(sql)  # type: ignore[arg-type]


class Sqlite:
    """An empty file."""

    def __init__(self, path: Path) -> None:
        self.url, self._path = f"sqlite:///{path}", path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self._path, timeout=60) as connection:
            return connection.execute(sql).fetchall()

    def run(self, *statements: str) -> None:
        for sql in statements:
            self.query(sql)


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Postgres | Sqlite]:
    if request.param == "sqlite":
        yield Sqlite(tmp_path / "database.sqlite3")
        return
    with PostgresServer() as server:
        yield Postgres(server)


def unexpected_column(database: Postgres | Sqlite) -> tuple[list[str], list[str]]:
    """Statements that break and repair: a mandatory column of another version of the table."""
    if isinstance(database, Postgres):
        column = "ALTER TABLE queueing_attempt ADD COLUMN error_class varchar(255) NOT NULL DEFAULT ''"
        no_default = "ALTER TABLE queueing_attempt ALTER COLUMN error_class DROP DEFAULT"
        return [column, no_default], ["ALTER TABLE queueing_attempt DROP COLUMN error_class"]
    [(table,)] = database.query("SELECT sql FROM sqlite_master WHERE name = 'queueing_attempt'")
    other = table.replace('"rc"', '"error_class" varchar(255) NOT NULL, "rc"', 1)
    aside = "ALTER TABLE queueing_attempt RENAME TO aside"
    return [aside, other], ["DROP TABLE queueing_attempt", "ALTER TABLE aside RENAME TO queueing_attempt"]


def breakages(database: Postgres | Sqlite) -> Iterator[tuple[list[str], list[str]]]:
    """Statements that break the database, and those that repair it."""
    rename = "ALTER TABLE queueing_attempt RENAME COLUMN {} TO {}"
    yield [rename.format("traceback", "older")], [rename.format("older", "traceback")]
    yield unexpected_column(database)
    if isinstance(database, Postgres):
        read_only = "ALTER DATABASE postgres SET default_transaction_read_only = {}"
        yield [read_only.format("on")], [read_only.format("off")]


@pytest.fixture
def raising(
    database: Postgres | Sqlite, worker: Callable[..., WorkerProcess], client: QueueClient
) -> Iterator[WorkerProcess]:
    """A worker that fails each message of ``raising`` twice; its database has no tables yet."""
    client.create_queue("raising")
    with worker("raising", env={"DATABASE_URL": database.url}) as process:
        yield process


def test_outcomes_that_the_database_refuses_wait_complete_and_are_reported_once(
    raising: WorkerProcess, database: Postgres | Sqlite, client: QueueClient
):
    bodies: list[str] = []

    def refused(break_it: Callable[[], None], mend_it: Callable[[], None]) -> None:
        number = len(bodies)
        break_it()
        bodies.append(f"message {number}")
        client.send_message("raising", bodies[-1])
        eventually(lambda: client.get_queue_attributes("raising").msgs == 0, of=raising)
        eventually(lambda: raising.output.count(WAITS) == number + 1, of=raising)
        mend_it()
        eventually(lambda: raising.output.count(WRITTEN) == number + 1, of=raising)

    refused(lambda: None, lambda: migrate(database.url))
    for broken, mended in breakages(database):
        refused(lambda sql=broken: database.run(*sql), lambda sql=mended: database.run(*sql))

    eventually(lambda: len(database.query(ATTEMPTS)) == 3 * len(bodies), of=raising)
    told = [(body, rc, f"RuntimeError: cannot do {body}", True) for body in bodies for rc in (1, 2, 3)]
    assert [(*row[:3], bool(row[3])) for row in database.query(ATTEMPTS)] == told
    assert raising.output.count(WAITS) == raising.output.count(WRITTEN) == len(bodies)
