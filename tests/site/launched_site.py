"""The launcher behind ``make run`` as a real process, in a copy of the project."""

import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from mqsite.own_process import OwnProcess
from tests.servers.program import Program
from tests.servers.waiting import free_port

#: Nothing of the tests' own environment may reach the launcher.
NO_VARIABLES = dict.fromkeys(
    ("SECRET_KEY", "DEBUG", "DJANGO_SETTINGS_MODULE", "REDIS_URL", "REDIS_TLS_URL", "DATABASE_URL", "DYNO")
)


class LaunchedSite(Program):
    """What it starts lies in sessions of its own, so ``stop`` also ends what the launcher left."""

    def __init__(self, project: Path, **variables: str) -> None:
        self.port = int(variables.get("PORT") or free_port())
        super().__init__(
            [sys.executable, "-m", "mqsite.launcher"],
            cwd=project,
            env=NO_VARIABLES | variables | {"PORT": str(self.port)},
            name="launcher",
        )

    def start(self) -> "LaunchedSite":
        super().start()
        return self

    def start_and_wait(self) -> "LaunchedSite":
        """Until it says that all is there."""
        self.start().wait_for_line("Ctrl-C stops it all", within_seconds=40)
        return self

    def interrupt(self) -> int:
        """Ctrl-C in its terminal; returns the exit code."""
        self.signal_group(signal.SIGINT)
        return self.wait(within_seconds=45)

    def stop(self, *, within_seconds: float = 45.0) -> int | None:
        code = super().stop(within_seconds=within_seconds)
        for child in self.own_processes():
            child.kill()
        return code

    def own_processes(self) -> list[OwnProcess]:
        """What it started and what still runs."""
        files = sorted((self.cwd / "var").rglob("*.pid"))
        return [child for child in (OwnProcess(file.stem, file) for file in files) if child.find()]

    def process(self, name: str) -> psutil.Process:
        """The first process of ``web``, ``worker`` or ``redis``."""
        return next(psutil.Process(child.pid) for child in self.own_processes() if child.name == name)

    def everything(self) -> list[psutil.Process]:
        """All processes of the sessions that it started."""
        return [member for child in self.own_processes() for member in child.members()]

    @property
    def password(self) -> str:
        found = re.search(r"log in as admin, password (\S+)", self.output)
        assert found, self.tail()
        return found[1]

    @property
    def redis_url(self) -> str:
        found = re.search(r"^  Redis +(\S+)", self.output, re.MULTILINE)
        assert found, self.tail()
        return found[1]


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; a zombie that its new parent has not seen to yet has."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
