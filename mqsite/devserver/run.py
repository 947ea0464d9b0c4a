"""The supervisor of ``make run``, from the first check to the last stopped program."""

import fcntl
import os
import secrets
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import IO
from urllib.parse import urlsplit

from mqsite.startup import DEVELOPMENT_FILE

from . import programs
from .front import Signals
from .ports import asked, is_taken
from .private import BASE_DIR, VAR_DIR, make_private, write_private
from .programs import Program
from .redis import EmbeddedRedis, RedisFailed

#: Variables that are stored for ``manage.py`` in a second terminal.
SHARED_VARIABLES = ("REDIS_URL", "REDIS_TLS_URL", "REDIS_TLS_VERIFY", "DATABASE_URL", "ALLOWED_HOSTS")
#: The lock file has this content while a supervisor stops its programs because its front was killed.
STOPPING = "stopping"


class LaunchFailed(Exception):
    """``make run`` cannot start or continue. The text gives the developer the reason."""


def run(signals: Signals, report: int) -> int:
    """Run web server, worker and Redis until a signal to stop arrives. Returns the exit code.

    The process group of each program is written to the file descriptor ``report``.
    """
    try:
        with ExitStack() as last:
            supervisor = Supervisor(dict(os.environ), signals, last.enter_context(_only_one(signals)), report)
            last.callback(supervisor.stop)
            supervisor.run()
    except (LaunchFailed, RedisFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class Supervisor:
    """Starts the programs in order, watches them, and stops them in the opposite order."""

    def __init__(self, environ: dict[str, str], signals: Signals, lock: IO[str], report: int) -> None:
        self.environ, self.signals, self.lock, self.report = environ, signals, lock, report
        self.port = _free_port(environ.get("PORT") or "8000")
        self.redis: EmbeddedRedis | None = None
        self.programs: list[Program] = []

    def run(self) -> None:
        for step in (
            self._start_redis,
            self._write_variables,
            self._prepare_database,
            self._start,
            self._watch,
        ):
            if self.signals.stops():
                break
            step()

    def stop(self) -> None:
        if self.signals.front_is_gone:
            _write(self.lock, STOPPING)
        if self.programs:
            say("Stopping; Ctrl-C again does not wait for running jobs.")
        programs.stop(self.programs, self.signals.stops_now)
        if self.redis and self.redis.program:
            programs.stop([self.redis.program])

    def _start_redis(self) -> None:
        if self.environ.get("REDIS_URL") or self.environ.get("REDIS_TLS_URL"):
            return
        self.redis = EmbeddedRedis(VAR_DIR / "redis", fake=self.environ.get("EMBEDDED_REDIS") == "fake")
        self.environ["REDIS_URL"] = self.redis.url
        self.redis.start(self.lock.fileno(), self.report, self.signals.stops)

    def _write_variables(self) -> None:
        lines = DEVELOPMENT_FILE.read_text().splitlines() if DEVELOPMENT_FILE.is_file() else []
        known = dict(line.split("=", 1) for line in lines if "=" in line)
        self.environ["DEBUG"] = "1"
        # The key stays the same, so that a restart logs nobody out.
        self.environ.setdefault("SECRET_KEY", known.get("SECRET_KEY") or secrets.token_urlsafe(50))
        names = ("DEBUG", "SECRET_KEY", *SHARED_VARIABLES)
        lines = [f"{name}={self.environ[name]}\n" for name in names if self.environ.get(name)]
        write_private(DEVELOPMENT_FILE, "# Written by `make run`; manage.py reads it.\n" + "".join(lines))

    def _prepare_database(self) -> None:
        """Migrate the database in a separate process, which can be stopped even if the database hangs."""
        command = [sys.executable, "-m", "mqsite.devserver.database"]
        with tempfile.TemporaryFile() as output:
            program = programs.start("database", command, env=self.environ, stdout=output)
            while program.exit_code is None and not self.signals.stops(0.02):
                pass
            if program.exit_code is None:
                programs.stop([program])
            elif program.exit_code:
                raise LaunchFailed("The database is not prepared.")
            output.seek(0)
            self.login = output.read().decode()

    def _start(self) -> None:
        manage = [sys.executable, str(BASE_DIR / "manage.py")]
        env = self.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_RUNSERVER_HIDE_WARNING": "true"}
        worker = programs.start("worker", [*manage, "runworker", "--watch"], env=env, report=self.report)
        worker.stops_now_at = signal.SIGQUIT
        self.programs.append(worker)
        page = [*manage, "runserver", f"127.0.0.1:{self.port}"]
        self.programs.append(programs.start("web server", page, env=env, report=self.report))
        while asked(self.port) is None and not self.signals.stops(0.1):
            self._check_programs()
        if not self.signals.stops():
            say(self._summary())

    def _watch(self) -> None:
        while not self.signals.stops(0.25):
            self._check_programs()

    def _check_programs(self) -> None:
        for program in [*self.programs, self.redis and self.redis.program]:
            if program and program.exit_code is not None and not self.signals.stops():
                raise LaunchFailed(f"The {program.name} ended by itself (exit code {program.exit_code}).")

    def _summary(self) -> str:
        page = f"http://127.0.0.1:{self.port}/"
        redis_url = self.environ.get("REDIS_TLS_URL") or self.environ["REDIS_URL"]
        lines = ["", f"  Page    {page}", f"  Admin   {page}admin/   {self.login}"]
        lines.append(f"  Redis   {without_password(redis_url)}")
        if self.redis and self.redis.in_memory:
            lines.append(
                "          in memory, for Python programs only; install redis-server to keep messages"
                " and to join from Node"
            )
        return "\n".join([*lines, "", "  Ctrl-C stops it all.", ""])


def _only_one(signals: Signals) -> IO[str]:
    """Lock the file that allows only one ``make run`` in this folder, and return it.

    If the last run was killed, this function waits until the programs of that run have stopped. Raises
    ``LaunchFailed`` if another run holds the lock.
    """
    try:
        make_private(VAR_DIR)
        lock = (VAR_DIR / "launcher.lock").open("a+")
    except PermissionError:
        raise LaunchFailed(f"{VAR_DIR} belongs to another user: remove it, or give it to yourself.") from None
    # A supervisor needs a moment to notice that its front is gone.
    refuse_at, has_said = time.monotonic() + 1, False
    while not _is_locked(lock):
        lock.seek(0)
        is_stopping = lock.read() == STOPPING
        if signals.stops(0.1) or (not is_stopping and time.monotonic() > refuse_at):
            raise LaunchFailed("`make run` is running in this folder already.")
        if is_stopping and not has_said:
            say("Waiting until the programs of a run that was killed have stopped.")
            has_said = True
    _write(lock, "")
    return lock


def _free_port(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 0 < int(value) < 65536):
        raise LaunchFailed(f"PORT is {value!r}, but can only be a number from 1 to 65535.")
    try:
        taken = is_taken(int(value))
    except OSError as error:
        raise LaunchFailed(f"Port {value} cannot be used: {error.strerror}.") from error
    if taken:
        raise LaunchFailed(f"Port {value} is taken: choose another, as in `make run PORT=8001`.")
    return int(value)


def _is_locked(lock: IO[str]) -> bool:
    """Try to lock the file. Returns whether this process holds the lock now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(lock: IO[str], text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def without_password(url: str) -> str:
    """The URL without its password, for output."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
