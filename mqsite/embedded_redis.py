"""The Redis of ``make run``: a real one where one is installed, else one in memory."""

import os
import shutil
import sys
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .own_process import OwnProcess
from .ports import first_free_port

PROGRAMS = ("redis-server", "valkey-server")
FAKE = "fakeredis"
START_SECONDS = 60  # a long append-only file has to be read first
STOP_SECONDS = 20


class RedisFailed(Exception):
    """The embedded Redis could not be started; the text says why."""


class EmbeddedRedis:
    """A Redis on loopback with its append-only file in ``directory``.

    It starts first and stops last, and outlives a launcher that was killed: the next one finds it
    by its file and goes on with it.
    """

    def __init__(self, directory: Path, *, fake: bool = False) -> None:
        self.directory = directory
        self.program = FAKE if fake else next(filter(shutil.which, PROGRAMS), FAKE)
        self.process = OwnProcess(self.program, directory / "redis.pid")
        self.log = directory / "redis.log"

    @property
    def in_memory(self) -> bool:
        return self.program == FAKE

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.process.facts['port']}/0"

    def start(self) -> None:
        """Start it, or go on with the one that an earlier launcher left behind.

        Raises ``RedisFailed``.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.process.find() and self.process.facts["program"] != self.program:
            self.process.stop(STOP_SECONDS)
        if not self.process.running():
            port = first_free_port(6379)
            with self.log.open("wb") as log:
                cwd = Path(__file__).resolve().parent.parent
                self.process.start(self._command(port), cwd=cwd, output=log, port=port, program=self.program)
        self._wait_until_it_answers()

    def stop(self) -> None:
        self.process.stop(STOP_SECONDS)

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
        return [shutil.which(self.program) or self.program, *words]

    def _wait_until_it_answers(self) -> None:
        client = redis.Redis.from_url(
            self.url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        deadline = time.monotonic() + START_SECONDS
        with client:
            while not _answers(client):
                if not self.process.running():
                    raise RedisFailed(f"{self.program} did not start: {self._last_words()}")
                if time.monotonic() > deadline:
                    raise RedisFailed(f"{self.program} does not answer at {self.url}; see {self.log}.")
                time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split(os.linesep)
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # not listening yet, or still reading its file
        return False
