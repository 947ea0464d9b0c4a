"""The history on MariaDB."""

import importlib.util
import os
import sys
from pathlib import Path

from tests.support.mariadb_server import MariaDBServer
from tests.support.program import Program
from tests.support.programs import absent

CASES = str(Path(__file__).with_name("mariadb_cases.py"))


def test_the_history_is_written_to_a_database_without_characters_of_four_bytes():
    if importlib.util.find_spec("MySQLdb") is None:
        absent("mysqlclient is missing: pip install mysqlclient")
    with MariaDBServer() as server:
        program = Program(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", CASES],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.unit.history.mariadb_settings",
                "TEST_PORT": str(server.port),
            },
            name="mariadb",
        )
        assert program.run(within_seconds=500) == 0, program.tail()
        assert " passed" in program.tail()
