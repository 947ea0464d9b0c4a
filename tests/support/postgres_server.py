"""A real PostgreSQL on a free loopback port."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil

from .program import Program
from .programs import require
from .waiting import HANG_SECONDS, eventually, free_port

HINT = "apt-get install postgresql"
#: ``initdb`` and ``postgres`` refuse to run as root. They then run as this user, which Debian's package
#: creates.
SERVER_USER = "postgres"


def _bin_folders() -> tuple[Path, ...]:
    """Folders with the server's programs, newest first. Debian keeps them out of PATH, one folder per
    version.
    """
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return tuple(sorted(found, key=lambda path: int(path.parent.name), reverse=True))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class PostgresServer:
    """A cluster in a temporary folder, without a password on loopback. ``stop`` removes it.

    ``settings`` are those of postgresql.conf.
    """

    def __init__(self, **settings: str) -> None:
        self.settings = settings
        self.port = free_port()
        self._folder: Path | None = None
        self._program: Program | None = None

    @property
    def _as_root(self) -> bool:
        return os.geteuid() == 0

    def _as_user(self, *args: str) -> list[str]:
        if not self._as_root:
            return list(args)
        runuser = require("runuser", "apt-get install util-linux")
        return [runuser, "-u", SERVER_USER, "--", *args]

    def start(self) -> "PostgresServer":
        initdb = require("initdb", HINT, beside=_bin_folders())
        self._folder = Path(tempfile.mkdtemp(prefix="test-postgres-"))
        if self._as_root:
            shutil.chown(self._folder, SERVER_USER)
        data = self._folder / "data"
        subprocess.run(
            self._as_user(
                *(initdb, "--pgdata", str(data), "--auth", "trust", "--no-sync"),
                *("--username", SERVER_USER, "--encoding", "UTF8", "--locale", "C"),
            ),
            check=True,
            capture_output=True,
            cwd=self._folder,
            timeout=HANG_SECONDS,
        )
        self._run()
        return self

    def kill(self) -> None:
        """``kill -9`` all its processes. The data survives for ``restart``."""
        assert self._program is not None
        assert self._folder is not None
        # Each of its processes leads a session.
        killed = psutil.Process(self._program.pid).children(recursive=True)
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._program.kill_group()
        eventually(lambda: not any(map(_lives, killed)), what="the end of all its processes")
        # A zombie keeps its process number, and the next server would take it for a running one.
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._program = None

    def restart(self) -> None:
        """Start again on the same port and data."""
        self._run()

    def _run(self) -> None:
        assert self._folder is not None
        postgres = require("postgres", HINT, beside=_bin_folders())
        self._program = Program(
            self._as_user(
                *(postgres, "-D", str(self._folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"),
                *("-c", "fsync=off", "-c", "unix_socket_directories="),
                # A lock that a test has left is an error for the next one.
                *("-c", "lock_timeout=60s", "-c", "statement_timeout=60s"),
                *(part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")),
            ),
            name="postgres",
            cwd=self._folder,
        ).start()
        eventually(self._answers, of=self._program)

    def _answers(self) -> bool:
        return self.query("SELECT 1") == [(1,)]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of one statement, on a connection of its own."""
        import psycopg

        with psycopg.connect(self.url, connect_timeout=2, autocommit=True) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def last_outcomes(self) -> dict[tuple[str, str], tuple[int, str]]:
        """(queue, message id) -> (rc, state) of every job, as in ``Diary``."""
        rows = self.query("SELECT queue, message_id, rc, state FROM queueing_job")
        return {(str(queue), str(id)): (int(str(rc)), str(state)) for queue, id, rc, state in rows}

    def stop(self) -> None:
        if self._program is not None:
            self._program.signal_group(2)  # SIGINT: a fast shutdown that does not wait for clients
            with contextlib.suppress(AssertionError):
                self._program.wait()
            self._program.kill_group()
            self._program = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> "PostgresServer":
        return self if self._program is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid

    @property
    def url(self) -> str:
        return f"postgresql://{SERVER_USER}@127.0.0.1:{self.port}/postgres"
