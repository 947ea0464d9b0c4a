"""``make run``: page and worker for development, with a Redis and a database of their own.

``python -m mqsite.launcher`` honours PORT, REDIS_URL, DATABASE_URL and EMBEDDED_REDIS=fake. What it
starts, it stops. Nothing else starts a Redis or makes an account.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from django.core.management.utils import get_random_secret_key

from .embedded_redis import EmbeddedRedis, RedisFailed
from .own_process import OwnProcess
from .ports import answers, is_taken
from .private_file import write_private

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
#: What a second terminal has to know; ``manage.py`` reads it.
DEVELOPMENT_FILE = VAR_DIR / "dev.env"
SHARED_VARIABLES = ("REDIS_URL", "REDIS_TLS_URL", "REDIS_TLS_VERIFY", "DATABASE_URL", "ALLOWED_HOSTS")
#: Longer than a worker's own grace time.
STOP_SECONDS = 30


class LaunchFailed(Exception):
    """A reason not to start or not to go on; the text is for the developer."""


class Launcher:
    """One run from the first check to the last stopped child."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.stopping = threading.Event()
        self.interrupts = 0
        self.port = 0
        self.redis: EmbeddedRedis | None = None
        self.web = OwnProcess("web server", VAR_DIR / "web.pid")
        self.worker = OwnProcess("worker", VAR_DIR / "worker.pid")

    def run(self) -> None:
        """Raises ``LaunchFailed`` after having stopped whatever was started."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupted)
        with ExitStack() as last:
            last.enter_context(self._only_one())
            self._end_left_overs()
            self.port = self._free_port()
            last.callback(self._stop)
            steps = (
                self._start_redis,
                self._write_variables,
                self._prepare_database,
                self._start,
                self._watch,
            )
            for step in steps:
                if self.stopping.is_set():
                    break
                step()

    # --- the steps ------------------------------------------------------------------------------

    def _only_one(self) -> IO[str]:
        try:
            VAR_DIR.mkdir(exist_ok=True)
            lock = (VAR_DIR / "launcher.lock").open("w")
        except PermissionError:
            raise LaunchFailed(
                f"{VAR_DIR} belongs to another user: remove it, or give it to yourself."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchFailed("`make run` is running in this folder already.") from None
        return lock

    def _end_left_overs(self) -> None:
        for child in (self.web, self.worker):
            if child.find():
                say(f"Stopping the {child.name} of a run that was killed.")
                child.stop(STOP_SECONDS)

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
            self.redis.start()
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
        self.login = prepare_database(self.environ)

    def _start(self) -> None:
        manage = [sys.executable, str(BASE_DIR / "manage.py")]
        env = self.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_RUNSERVER_HIDE_WARNING": "true"}
        self.worker.start([*manage, "runworker", "--watch"], cwd=BASE_DIR, env=env)
        self.web.start([*manage, "runserver", f"127.0.0.1:{self.port}"], cwd=BASE_DIR, env=env)
        while not answers(self.port) and not self.stopping.wait(0.1):
            self._check_children()
        if not self.stopping.is_set():
            say(self._summary())

    def _watch(self) -> None:
        while not self.stopping.wait(0.25):
            self._check_children()

    def _stop(self) -> None:
        if self.web.pid or self.worker.pid:
            say("Stopping; Ctrl-C again does not wait for running jobs.")
        heard = self.interrupts
        children = [self.web, self.worker]
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while children and time.monotonic() < deadline and self.interrupts == heard:
            children = [child for child in children if not child.wait(0.1)]
        for child in children:
            child.kill()
        if self.redis:
            self.redis.stop()

    # --- what the steps use ---------------------------------------------------------------------

    def _interrupted(self, *_: Any) -> None:
        self.interrupts += 1
        self.stopping.set()

    def _check_children(self) -> None:
        for child in (self.web, self.worker, *([self.redis.process] if self.redis else [])):
            if not child.running() and not self.stopping.is_set():
                code = "" if child.exit_code is None else f" (exit code {child.exit_code})"
                raise LaunchFailed(f"The {child.name} ended by itself{code}.")

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


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def main() -> None:
    try:
        Launcher(os.environ).run()
    except LaunchFailed as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
