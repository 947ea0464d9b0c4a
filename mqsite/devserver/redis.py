"""The Redis of ``make run``: an installed one if there is one, otherwise an in-memory Redis."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import programs
from .ports import asked, first_free_port

PROGRAMS = ("redis-server", "valkey-server")
FAKE = "fakeredis"
PING = b"*1\r\n$4\r\nPING\r\n"
START_SECONDS = 60  # It reads a long append-only file first.


class RedisFailed(Exception):
    """Redis could not be started. The text gives the reason."""


class EmbeddedRedis:
    """A Redis on loopback, started before the other programs and stopped after them.

    An installed Redis has its append-only file in ``directory``. Otherwise, or with ``fake``, an in-memory
    Redis is used.
    """

    def __init__(self, directory: Path, *, fake: bool = False) -> None:
        self.name = FAKE if fake else next(filter(shutil.which, PROGRAMS), FAKE)
        self.port = first_free_port(6379)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.program: programs.Program | None = None
        self._directory, self._log = directory, directory / "redis.log"

    @property
    def in_memory(self) -> bool:
        return self.name == FAKE

    def start(self, lock: int, report: int, pause: Callable[[float], bool]) -> None:
        """Start Redis, and wait until it answers or ``pause`` returns true. Raises ``RedisFailed``.

        ``lock`` is the descriptor of the lock file of ``make run``. Redis inherits it, so that the file stays
        locked until Redis has ended. Otherwise, a second server could start, and both would write one
        append-only file.

        A line with the process group of Redis is written to the descriptor ``report``.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            program = programs.start(
                self.name, self._command(), stdout=log, stderr=log, keeps=[lock], report=report
            )
        self.program = program
        give_up = time.monotonic() + START_SECONDS
        while asked(self.port, PING) != b"+PONG\r\n" and not pause(0.02):
            if program.exit_code is not None:
                raise RedisFailed(f"{self.name} did not start: {self._last_line()}")
            if time.monotonic() > give_up:
                raise RedisFailed(f"{self.name} does not answer at {self.url}; see {self._log}.")

    def _command(self) -> list[str]:
        if self.in_memory:
            return [sys.executable, "-m", "mqsite.devserver.fake_redis", str(self.port)]
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._directory),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [shutil.which(self.name) or self.name, *words]

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it logged nothing")
