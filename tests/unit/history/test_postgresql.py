"""The tests of the writer pass on PostgreSQL, too, and those that need it."""

import os
import sys
from pathlib import Path

from tests.support.postgres_server import PostgresServer
from tests.support.program import Program

FILES = [str(Path(__file__).with_name(name)) for name in ("postgresql_cases.py", "test_writer.py")]


def test_the_history_is_written_in_the_same_way_to_postgresql() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with PostgresServer() as server:
        env = {**os.environ, "TEST_POSTGRES_PORT": str(server.port)}
        program = Program([*command, "--ds", "tests.unit.history.postgresql_settings", *FILES], env=env)
        assert program.run(within_seconds=500) == 0, program.tail()
        assert " passed" in program.tail()
