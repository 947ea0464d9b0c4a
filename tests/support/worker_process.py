"""``manage.py runworker`` as a real process group."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import psutil

from .ledger import LEDGER_VARIABLE
from .program import Program
from .programs import ROOT

MANAGE = ROOT / "manage.py"
FAULT_SETTINGS = "tests.faults.settings"


class WorkerProcess(Program):
    """A worker with the handlers of ``tests/faults/app``.

    ``options`` are those of ``runworker``, queues first. The database must have been migrated.
    """

    def __init__(
        self,
        *options: str,
        redis_url: str,
        database: Path,
        ledger: Path | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        super().__init__(
            [sys.executable, MANAGE, "runworker", *options],
            env={**environment(redis_url, database, ledger), **(env or {})},
            name="runworker",
        )

    def logged(self, pattern: str) -> list[datetime]:
        """The times of the log lines that match the regular expression."""
        found = [line for line in self.lines if re.search(pattern, line)]
        return [datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f") for line in found]

    def signal_group(self, number: int) -> None:
        """Signal every process of the worker, as a platform does. Each child has its own process group."""
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def kill_supervisor(self) -> None:
        """``kill -9`` the first process alone."""
        os.kill(self.pid, signal.SIGKILL)


def migrate(database_url: str) -> None:
    """Create the tables in a database."""
    done = Program(
        [sys.executable, MANAGE, "migrate", "--verbosity", "0"],
        env={
            **site_environment("redis://127.0.0.1:1/0", database_url),
            "DJANGO_SETTINGS_MODULE": FAULT_SETTINGS,
        },
        name="migrate",
    )
    assert done.run() == 0, done.tail()


def environment(redis_url: str, database: Path, ledger: Path | None = None) -> dict[str, str | None]:
    """The environment of a process with the settings and handlers of the fault tests."""
    return {
        **site_environment(redis_url, f"sqlite:///{database}"),
        "DJANGO_SETTINGS_MODULE": FAULT_SETTINGS,
        LEDGER_VARIABLE: str(ledger) if ledger else None,
    }


def site_environment(redis_url: str, database_url: str) -> dict[str, str | None]:
    """The variables of a production-like process of the site, without those of the caller."""
    return {
        "DJANGO_SETTINGS_MODULE": "mqsite.settings",
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_TLS_URL": None,
        "REDIS_TLS_VERIFY": None,
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DEBUG": None,
        "DYNO": None,
        "TRUST_PROXY": None,
        "WEB_CONCURRENCY": None,
    }
