"""Runs one peer: its program, and the steps of a benchmark with a separate Redis."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.server import empty_server
from benchmarks.table import note
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import site_environment

PROGRAMS = Path(__file__).parent / "programs"
#: Made by ``install``: an environment and a ``node_modules`` for the peers.
PLACE = ROOT / "var" / "peers"
#: Bytes of a line of stamps, see ``programs/common.py``.
LINE = 30


@dataclass(frozen=True, slots=True)
class Peer:
    """A job queue, and the program in the folder ``programs`` that sends its jobs and runs its worker.

    ``jobs`` is the number of jobs that the worker can run in a few seconds.
    """

    name: str
    program: str
    processes: int = 1
    threads: int = 1
    jobs: int = 0
    database_url: str = ""
    #: Its environment below ``PLACE``.
    venv: str = "venv"
    #: Whether its jobs are in PostgreSQL.
    needs_postgres: bool = False

    @property
    def is_ours(self) -> bool:
        return self.program.startswith("ours")

    @property
    def command(self) -> list[str]:
        if self.is_ours:
            return [sys.executable, "-m", f"benchmarks.peers.programs.{self.program}"]
        if self.program.endswith(".js"):
            return ["node", str(PROGRAMS / self.program)]
        return [str(PLACE / self.venv / "bin" / "python"), str(PROGRAMS / self.program)]


class Session:
    """A peer with an empty Redis.

    When a job runs, it appends a line with its number and the time, called a stamp, to the file ``stamps``.
    """

    def __init__(
        self, peer: Peer, server: RedisServer, folder: Path, postgres: PostgresServer | None = None
    ) -> None:
        self.peer, self.server, self.postgres = peer, server, postgres
        self.stamps = folder / "stamps"
        self.environment: dict[str, str | None] = {
            "PEER_REDIS_URL": server.url,
            "PEER_STAMPS": str(self.stamps),
            "PEER_MODULES": str(PLACE),
            "PYTHONPATH": str(PROGRAMS),
            "PEER_DATABASE_URL": postgres.url if postgres else None,
        }
        if peer.is_ours:
            database_url = peer.database_url or f"sqlite:///{folder / 'db.sqlite3'}"
            self.environment |= site_environment(server.url, database_url)
            self.environment |= {
                "DJANGO_SETTINGS_MODULE": "benchmarks.peers.site.settings",
                "PYTHONPATH": str(ROOT),
            }
        self.run("setup")

    @cached_property
    def redis(self):
        return self.server.connect()

    def server_seconds(self) -> float:
        """CPU time that Redis and PostgreSQL have used so far."""
        cpu = self.redis.info("cpu")
        seconds: float = cpu["used_cpu_user"] + cpu["used_cpu_sys"]
        for process in _with_children(self.postgres.pid) if self.postgres else ():
            with suppress(psutil.NoSuchProcess):
                # Also those of a connection that has ended: its time is its parent's then.
                seconds += sum(process.cpu_times()[:4])
        return seconds

    def run(self, *words: object) -> str:
        """Run the peer's program with ``words`` as its arguments. Returns the last line that it printed.

        Raises ``RuntimeError`` if the program fails.
        """
        program = self._program(*words)
        with program:
            if program.wait(within_seconds=120):
                raise RuntimeError(program.tail())
        return program.lines[-1] if program.lines else ""

    @contextmanager
    def worker(self) -> Iterator[Program]:
        with self._program("work", self.peer.processes, self.peer.threads) as worker:
            yield worker

    def wait_for(self, count: int, worker: Program, *, within_seconds: float = 60) -> None:
        """Wait until there were ``count`` runs of jobs. A job that ran twice counts twice."""

        eventually(
            lambda: self.count() >= count, within_seconds=within_seconds, of=worker, every_seconds=0.005
        )

    def wait_for_each(self, count: int, worker: Program) -> None:
        """Wait until each of ``count`` jobs has run. A peer may run a job twice before it has run all."""
        self.wait_for(count, worker, within_seconds=180)
        eventually(lambda: len(self._ran()) == count, of=worker, every_seconds=0.2)

    def count(self) -> int:
        """The number of runs so far. A job that ran twice counts twice."""
        return os.path.getsize(self.stamps) // LINE if self.stamps.exists() else 0

    def warm_up(self, worker: Program) -> None:
        """Run one job, and delete its stamp."""
        self.run("fill", "noop", 1)
        self.wait_for(1, worker)
        os.truncate(self.stamps, 0)

    def ran_ns(self, count: int) -> dict[int, int]:
        """The time at which each job first ran, in ns on the monotonic clock, by the number of the job.

        Raises ``RuntimeError`` if one of the ``count`` jobs has not run, or if this queue has run a job
        twice.
        """
        ran, runs = self._ran(), self.count()
        if ran.keys() != set(range(count)) or (self.peer.is_ours and runs != count):
            raise RuntimeError(f"{self.peer.name}: {runs} runs of {len(ran)} of {count} jobs")
        if runs != count:
            note(f"{self.peer.name} ran {runs - count} of {count} jobs once more")
        return ran

    def _ran(self) -> dict[int, int]:
        ran: dict[int, int] = {}
        for number, ns in map(str.split, self.stamps.read_text().splitlines()):
            ran.setdefault(int(number), int(ns))
        return ran

    def _program(self, *words: object) -> Program:
        return Program([*self.peer.command, *map(str, words)], env=self.environment, name=self.peer.name)


def _with_children(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@contextmanager
def session(peer: Peer) -> Iterator[Session]:
    with TemporaryDirectory(prefix="peer-") as folder, empty_server() as server, ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer()) if peer.needs_postgres else None
        yield Session(peer, server, Path(folder), postgres)
