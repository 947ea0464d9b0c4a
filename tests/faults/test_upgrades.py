"""Databases of older releases: frozen migrations lead to today's tables, and different tables are
reported.
"""

import hashlib
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing import migrations
from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.program import Program
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, WorkerProcess, environment, migrate

#: A database stores only the name of a migration, so an edited one is applied nowhere. Add a new one instead.
FROZEN = {
    "0001_initial": "5f4c4c326052031159b2663334eb708298fbb325db54cb7ccfe400d62026392f",
    "0002_identity": "895aefd078c6d65d7deeb41ecb76f24ae01486250e25621efcd200bee586ed37",
    "0003_stop_job": "1f2e397626a1599023843d12ad80146664e2fe789b5d71e3aa86dc27c73725aa",
    "0004_staged_message": "136ec83bba55bdf369b357886e920dfbefaa8403b34df71f4308265aae3e6a37",
    "0005_batch": "c4d4993ede2e31e326ff3aa3fd47dc76ffc2f1924e06024b751cf063a67e41be",
    "0006_attempt_job_index": "7d27703e518a9f78ba9ac7e4c00ef445f1e310b54d6fa5f91921752c853a265d",
    "0007_staged_row_of_its_own": "316d5630a3729f918af2465ee1c64a9b243e99bde5be5161283bcbefe320b03b",
}
FOLDER = Path(migrations.__file__).parent


def manage(database: Path, *words: str) -> Program:
    program = Program([sys.executable, MANAGE, *words], env=environment("redis://127.0.0.1:1/0", database))
    program.run()
    return program


def indexes(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """The columns of the indexes of attempts."""
    names = [row[1] for row in connection.execute("PRAGMA index_list(queueing_attempt)")]
    found = (connection.execute(f"PRAGMA index_info({name})") for name in names)
    return {tuple(row[2] for row in rows) for rows in found}


@pytest.mark.parametrize("name", FROZEN)
def test_a_released_migration_is_never_edited(name: str):
    assert hashlib.sha256((FOLDER / f"{name}.py").read_bytes()).hexdigest() == FROZEN[name]


def test_a_history_survives_all_migrations_from_the_first_to_the_last(
    client: QueueClient, worker: Callable[..., WorkerProcess], tmp_path: Path
):
    path = tmp_path / "old.sqlite3"
    manage(path, "migrate", "--verbosity", "0", "queueing", "0001")
    columns = "queue message_id handler state rc attempts crashes finished_at worker body body_is_whole"
    columns += " error result"
    values = ("ledger", "old", "", "done", 1, 1, 0, "2026-11-28", "", "", 1, "", "")
    row = f"INSERT INTO queueing_job ({columns.replace(' ', ',')}) VALUES ({','.join('?' * len(values))})"
    with sqlite3.connect(path) as connection:
        connection.execute(row, values)
        assert ("job_id",) in indexes(connection)
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        # The unique index of job and receive count serves the same searches.
        assert ("job_id",) not in indexes(connection)
    client.create_queue("raising")
    with worker("raising", env={"DATABASE_URL": f"sqlite:///{path}"}) as process:
        new = client.send_message("raising", "new")
        eventually(lambda: len(Diary(path).outcomes(new)) == 3, of=process)
    assert Diary(path).states() == {"done": 1, "dead": 1}


def test_messages_that_were_staged_by_one_call_are_all_sent_after_an_upgrade(
    client: QueueClient, worker: Callable[..., WorkerProcess], tmp_path: Path
):
    path = tmp_path / "staged.sqlite3"
    manage(path, "migrate", "--verbosity", "0", "queueing", "0006")
    row = {"queue": "ledger", "sender": "one", "number": 1, "size": 3, "task_queue": "", "headers": ""}
    row |= {"priority": 0, "staged_at": "2026-11-28", "is_refused": 0, "refusal": ""}
    # Each is sent by a call of its own, because of its length.
    row |= {"body": b"a" * 600_000}
    with sqlite3.connect(path) as connection:
        for index in range(3):
            staged = {**row, "message_id": f"hol7zzzzz{index}" + "q" * 22}
            marks = ",".join("?" * len(staged))
            insert = f"INSERT INTO queueing_stagedmessage ({','.join(staged)}) VALUES ({marks})"
            connection.execute(insert, list(staged.values()))
    migrate(f"sqlite:///{path}")
    client.create_queue("ledger", maxsize=-1)
    with worker("ledger", env={"DATABASE_URL": f"sqlite:///{path}"}) as process:
        eventually(lambda: Diary(path).states() == {"done": 3}, of=process)


@pytest.fixture
def unlike(tmp_path: Path) -> Path:
    """A database whose tables came from an edited first migration: an attempt has one more column."""
    path = tmp_path / "unlike.sqlite3"
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        [(table,)] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'queueing_attempt'")
        connection.execute("DROP TABLE queueing_attempt")
        connection.execute(table.replace('"rc"', '"error_class" varchar(255) NOT NULL, "rc"', 1))
    return path


def test_tables_that_no_migration_makes_are_reported_and_lose_nothing(
    client: QueueClient, worker: Callable[..., WorkerProcess], unlike: Path
):
    remedy = "queueing_attempt.error_class is unknown.*manage.py migrate queueing zero"
    checked = manage(unlike, "check", "--database", "default")
    assert "queueing.W002" in checked.output
    assert "queueing_attempt.error_class is unknown" in checked.output
    client.create_queue("raising")
    with worker("raising", env={"DATABASE_URL": f"sqlite:///{unlike}"}) as process:
        process.wait_for_line(remedy)
        id = client.send_message("raising", "kept")
        eventually(lambda: client.get_queue_attributes("raising").msgs == 0, of=process)
        assert manage(unlike, "migrate", "queueing", "zero").lines
        migrate(f"sqlite:///{unlike}")
        eventually(lambda: len(Diary(unlike).outcomes(id)) == 3, of=process)
        assert process.output.count("the history waits in Redis") == 1
    assert "W002" not in manage(unlike, "check", "--database", "default").output


def test_migrate_itself_does_not_warn_of_missing_tables(tmp_path: Path):
    program = manage(tmp_path / "empty.sqlite3", "migrate", "--verbosity", "0")
    assert program.output == ""
