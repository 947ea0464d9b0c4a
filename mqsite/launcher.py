"""``make run``: page and worker for development, with a Redis and a database of their own.

``python -m mqsite.launcher`` honours PORT, REDIS_URL, DATABASE_URL and EMBEDDED_REDIS=fake. It stops what it
starts, and if it is killed, the guard of its programs does. Nothing else starts a Redis or makes an account.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from django.core.management.utils import get_random_secret_key

from queueing.worker import stop_signals

from .embedded_redis import EmbeddedRedis, RedisFailed
from .ports import answers, is_taken
from .private_file import make_private, write_private
from .programs import Guard, Program, stop

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
#: What a second terminal has to know; ``manage.py`` reads it.
DEVELOPMENT_FILE = VAR_DIR / "dev.env"
SHARED_VARIABLES = ("REDIS_URL", "REDIS_TLS_URL", "REDIS_TLS_VERIFY", "DATABASE_URL", "ALLOWED_HOSTS")
#: The content of the lock while the guard of a killed launcher stops its programs.
STOPPING = "stopping"


class LaunchFailed(Exception):
    """A reason not to start or not to go on; the text is for the developer."""


class Launcher:
    """One run from the first check to the last stopped program."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.signals = stop_signals.StopSignals()
        self.port = 0
        self.redis: EmbeddedRedis | None = None
        self.programs: list[Program] = []

    def run(self) -> None:
        """Raises ``LaunchFailed`` after having stopped all that was started."""
        with ExitStack() as last:
            self.lock = last.enter_context(self._only_one())
            self.port = self._free_port()
            self.guard = Guard(on_death=lambda: _write(self.lock, STOPPING))
            last.callback(self.guard.dismiss)
            last.callback(self._stop)
            steps = (
                self._start_redis,
                self._write_variables,
                self._prepare_database,
                self._start,
                self._watch,
            )
            for step in steps:
                if self._stops():
                    break
                step()

    def _stops(self, seconds: float = 0.0) -> bool:
        """Whether a signal to stop has arrived, or arrives within so many seconds."""
        self.signals.wait(seconds)
        return self.signals.stops

    # --- the steps ------------------------------------------------------------------------------

    def _only_one(self) -> IO[str]:
        try:
            make_private(VAR_DIR)
            lock = (VAR_DIR / "launcher.lock").open("a+")
        except PermissionError:
            raise LaunchFailed(
                f"{VAR_DIR} belongs to another user: remove it, or give it to yourself."
            ) from None
        # A guard needs a moment to see that its launcher is gone.
        refuse_at, has_said = time.monotonic() + 1, False
        while not _is_locked(lock):
            is_stopping = _read(lock) == STOPPING
            if self._stops(0.1) or (not is_stopping and time.monotonic() > refuse_at):
                raise LaunchFailed("`make run` is running in this folder already.")
            if is_stopping and not has_said:
                say("Waiting until the programs of a run that was killed have stopped.")
                has_said = True
        _write(lock, "")
        return lock

    def _free_port(self) -> int:
        value = self.environ.get("PORT") or "8000"
        if not (value.isascii() and value.isdecimal() and 0 < int(value) < 65536):
            raise LaunchFailed(f"PORT is {value!r}, but can only be a number from 1 to 65535.")
        try:
            taken = is_taken(int(value))
        except OSError as error:
            raise LaunchFailed(f"Port {value} cannot be used: {error.strerror}.") from error
        if taken:
            raise LaunchFailed(f"Port {value} is taken: choose another, as in `make run PORT=8001`.")
        return int(value)

    def _start_redis(self) -> None:
        if self.environ.get("REDIS_URL") or self.environ.get("REDIS_TLS_URL"):
            return
        self.redis = EmbeddedRedis(VAR_DIR / "redis", fake=self.environ.get("EMBEDDED_REDIS") == "fake")
        try:
            self.redis.start(self.guard, self.lock.fileno(), self._stops)
        except RedisFailed as error:
            raise LaunchFailed(str(error)) from error
        self.environ["REDIS_URL"] = self.redis.url

    def _write_variables(self) -> None:
        known = dict(line.split("=", 1) for line in _lines(DEVELOPMENT_FILE) if "=" in line)
        self.environ["DEBUG"] = "1"
        # The same from run to run, so that nobody is logged out by a restart.
        self.environ.setdefault("SECRET_KEY", known.get("SECRET_KEY") or get_random_secret_key())
        names = ("DEBUG", "SECRET_KEY", *SHARED_VARIABLES)
        lines = [f"{name}={self.environ[name]}\n" for name in names if self.environ.get(name)]
        write_private(DEVELOPMENT_FILE, "# Written by `make run`; manage.py reads it.\n" + "".join(lines))

    def _prepare_database(self) -> None:
        # A database that hangs must not keep the launcher from stopping: here a signal raises SystemExit.
        stop_signals.handle(stop_signals.leave_immediately)
        self.login = prepare_database(self.environ)
        stop_signals.handle(stop_signals.do_nothing)

    def _start(self) -> None:
        manage = [sys.executable, str(BASE_DIR / "manage.py")]
        env = self.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_RUNSERVER_HIDE_WARNING": "true"}
        for name, *words in (
            ("worker", "runworker", "--watch"),
            ("web server", "runserver", f"127.0.0.1:{self.port}"),
        ):
            self.programs.append(self.guard.start(name, [*manage, *words], cwd=BASE_DIR, env=env))
        self.programs[0].stops_now_at = signal.SIGQUIT
        while not answers(self.port) and not self._stops(0.1):
            self._check_programs()
        if not self._stops():
            say(self._summary())

    def _watch(self) -> None:
        while not self._stops(0.25):
            self._check_programs()

    def _stop(self) -> None:
        if self.programs:
            say("Stopping; Ctrl-C again does not wait for running jobs.")
        stop(self.programs, self._stops_now)
        if self.redis and self.redis.program:
            stop([self.redis.program])

    def _stops_now(self, seconds: float) -> bool:
        """Whether a second Ctrl-C has arrived, or arrives within so many seconds."""
        self.signals.wait(seconds)
        return self.signals.stops_now

    # --- what the steps use ---------------------------------------------------------------------

    def _check_programs(self) -> None:
        for program in [*self.programs, self.redis and self.redis.program]:
            if program and program.exit_code is not None and not self._stops():
                raise LaunchFailed(f"The {program.name} ended by itself (exit code {program.exit_code}).")

    def _summary(self) -> str:
        page = f"http://127.0.0.1:{self.port}/"
        lines = ["", f"  Page    {page}", f"  Admin   {page}admin/   {self.login}"]
        lines.append(
            f"  Redis   {without_password(self.environ.get('REDIS_TLS_URL') or self.environ['REDIS_URL'])}"
        )
        if self.redis and self.redis.in_memory:
            lines.append(
                "          in memory, for Python programs only; install redis-server to keep messages"
                " and to join from Node"
            )
        return "\n".join([*lines, "", "  Ctrl-C stops it all.", ""])


def prepare_database(environ: dict[str, str]) -> str:
    """Migrate, and say how to log in: an account is made only in the embedded database."""
    os.environ.update(environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    import django
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    from .first_admin import USERNAME, development_password
    from .startup import require_variables

    require_variables()
    django.setup()
    try:
        call_command("migrate", verbosity=0)
        if environ.get("DATABASE_URL"):
            return "log in with an account of your database, or make one: manage.py createsuperuser"
        password = development_password(VAR_DIR / "admin-password")
    except DatabaseError as error:
        raise LaunchFailed(f"The database cannot be used: {error}") from error
    finally:
        connection.close()
    return f"log in as {USERNAME}, password {password or 'as you chose it'}"


def without_password(url: str) -> str:
    """``url`` as it may be shown."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _is_locked(lock: IO[str]) -> bool:
    """Lock it, unless another process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read()


def _write(lock: IO[str], text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def main() -> None:
    # Messages, accounts and passwords of the developer are not for other users of the machine.
    os.umask(0o077)
    try:
        Launcher(os.environ).run()
    except LaunchFailed as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    finally:
        # All is stopped. The interpreter restores the default handlers before it ends.
        stop_signals.handle(signal.SIG_IGN)


if __name__ == "__main__":
    main()
