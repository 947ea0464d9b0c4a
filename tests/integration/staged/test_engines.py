"""The tests of staged messages on SQLite, PostgreSQL and MariaDB, each with two databases."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.mariadb_server import MariaDBServer
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.programs import absent

CASES = "tests/integration/staged/cases.py"
UNITS = ["tests/unit/transactional", "tests/unit/admin/test_staged.py", "tests/unit/cli/test_staged.py"]


@contextmanager
def server(engine: str) -> Iterator[str]:
    """The port of a running server."""
    if engine == "sqlite3":
        yield ""
    elif engine == "postgresql":
        with PostgresServer() as postgres:
            yield str(postgres.port)
    else:
        if importlib.util.find_spec("MySQLdb") is None:
            absent("mysqlclient is missing: pip install mysqlclient")
        with MariaDBServer() as mariadb:
            yield str(mariadb.port)


@pytest.mark.parametrize(
    ("engine", "tests"),
    [("sqlite3", [CASES]), ("postgresql", [CASES, *UNITS]), ("mysql", [CASES, *UNITS])],
    ids=["sqlite3", "postgresql", "mysql"],
)
def test_staged_messages_keep_their_promises_on_each_engine(engine: str, tests: list[str]):
    with server(engine) as port:
        program = Program(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.integration.staged.settings",
                "TEST_ENGINE": engine,
                "TEST_PORT": port,
            },
            name=engine,
        )
        assert program.run(within_seconds=500) == 0, program.tail()
