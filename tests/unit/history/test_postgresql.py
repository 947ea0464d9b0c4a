"""The tests of the writer pass on PostgreSQL, too, whose statements differ from those of SQLite."""

import os
import sys
from pathlib import Path

from tests.support.postgres_server import PostgresServer
from tests.support.program import Program

WRITER = Path(__file__).with_name("test_writer.py")


def test_the_history_is_written_in_the_same_way_to_postgresql() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with PostgresServer() as server:
        env = {**os.environ, "TEST_POSTGRES_PORT": str(server.port)}
        program = Program([*command, "--ds", "tests.unit.history.postgresql_settings", str(WRITER)], env=env)
        assert program.run() == 0, program.tail()
        assert " passed" in program.tail()
