"""The launcher of ``make run`` as a real process, in a copy of the project."""

import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.program import Program
from tests.support.waiting import free_port

#: Removes all variables of the tests' own environment from the launcher's.
NO_VARIABLES = dict.fromkeys(
    ("SECRET_KEY", "DEBUG", "DJANGO_SETTINGS_MODULE", "REDIS_URL", "REDIS_TLS_URL", "DATABASE_URL", "DYNO")
)

#: A word in the command line of each program that the launcher starts.
PROGRAMS = {"runserver": "web", "runworker": "worker", "redis-server": "redis", "fake_redis": "redis"}


class LaunchedSite(Program):
    """The launcher. Its programs lead sessions of their own. ``stop`` waits until the launcher has ended
    them.
    """

    def __init__(self, project: Path, **variables: str) -> None:
        self.port = int(variables.get("PORT") or free_port())
        super().__init__(
            [sys.executable, "-m", "mqsite.devserver"],
            cwd=project,
            env=NO_VARIABLES | variables | {"PORT": str(self.port)},
            name="launcher",
        )

    def start(self) -> "LaunchedSite":
        super().start()
        return self

    def start_and_wait(self) -> "LaunchedSite":
        """Wait until the launcher reports that everything runs."""
        self.start().wait_for_line("Ctrl-C stops it all")
        return self

    def interrupt(self) -> int:
        """Press Ctrl-C in its terminal; returns the exit code."""
        self.signal_group(signal.SIGINT)
        return self.wait()

    def own_processes(self) -> dict[str, psutil.Process]:
        """The running programs that it has started: ``web``, ``worker`` and ``redis``."""
        found: dict[str, psutil.Process] = {}
        [supervisor] = self.children()
        for process in supervisor.children():
            with suppress(psutil.Error):
                words = " ".join(Path(word).name for word in process.cmdline())
                found |= {name: process for word, name in PROGRAMS.items() if word in words}
        return found

    def process(self, name: str) -> psutil.Process:
        return self.own_processes()[name]

    def everything(self) -> list[psutil.Process]:
        """All its descendants, the supervisor of its programs among them."""
        return psutil.Process(self.pid).children(recursive=True)

    def stop(self, *, within_seconds: float = 45.0) -> int | None:
        return super().stop(within_seconds=within_seconds)

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
    """The processes that have not ended. A zombie that its new parent has not reaped yet counts as ended."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
