"""The Redis of ``make run``: a real one where one is installed, else one in memory."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .ports import first_free_port
from .programs import Guard, Program

PROGRAMS = ("redis-server", "valkey-server")
FAKE = "fakeredis"
START_SECONDS = 60  # a long append-only file has to be read first


class RedisFailed(Exception):
    """The embedded Redis could not be started; the text says why."""


class EmbeddedRedis:
    """A Redis on loopback with its append-only file in ``directory``. It starts first and stops last."""

    program: Program | None = None

    def __init__(self, directory: Path, *, fake: bool = False) -> None:
        self.directory = directory
        self.name = FAKE if fake else next(filter(shutil.which, PROGRAMS), FAKE)
        self.log = directory / "redis.log"
        self.url = ""

    @property
    def in_memory(self) -> bool:
        return self.name == FAKE

    def start(self, guard: Guard, lock: int, pause: Callable[[float], bool]) -> None:
        """Start it, and wait until it answers or ``pause`` returns true. Raises ``RedisFailed``.

        It keeps ``lock`` open: two of them must not write one append-only file.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        port = first_free_port(6379)
        self.url = f"redis://127.0.0.1:{port}/0"
        with self.log.open("wb") as log:
            cwd = Path(__file__).resolve().parent.parent
            command = self._command(port)
            self.program = guard.start(self.name, command, cwd=cwd, output=log, keeps=[lock])
        self._wait_until_it_answers(self.program, pause)

    def _command(self, port: int) -> list[str]:
        if self.in_memory:
            return [sys.executable, "-m", "mqsite.fake_redis", str(port)]
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(self.directory),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [shutil.which(self.name) or self.name, *words]

    def _wait_until_it_answers(self, program: Program, pause: Callable[[float], bool]) -> None:
        client = redis.Redis.from_url(
            self.url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        deadline = time.monotonic() + START_SECONDS
        with client:
            while not _answers(client) and not pause(0.02):
                if program.exit_code is not None:
                    raise RedisFailed(f"{self.name} did not start: {self._last_words()}")
                if time.monotonic() > deadline:
                    raise RedisFailed(f"{self.name} does not answer at {self.url}; see {self.log}.")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split(os.linesep)
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # not listening yet, or still reading its file
        return False
