"""The site in the pictures: Redis, database, web process and workers of its own, removed afterwards."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from queueing.client import QueueClient
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.web_process import WebProcess
from tests.support.worker_process import MANAGE, WorkerProcess, site_environment

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "docs.screenshots.settings",
    # The folder in which its app `shop` is found by that name.
    "PYTHONPATH": str(Path(__file__).parent),
}
USER, PASSWORD = "ada", "only-for-pictures"
WORKERS = {
    "web-shop.1": ("--threads", "2"),
    "mail.1": ("emails", "--threads", "2", "--processes", "2"),
    "mail.2": ("emails", "invoices"),
}


@dataclass
class Stage:
    """A running site, and a way to start its workers."""

    web: WebProcess
    client: QueueClient
    redis_url: str
    database: Path
    exits: ExitStack
    workers: list[WorkerProcess] = field(default_factory=list)

    def start_workers(self) -> None:
        for name, options in WORKERS.items():
            place = {"redis_url": self.redis_url, "database": self.database}
            worker = WorkerProcess(*options, "--name", name, **place, env=self._settings())
            self.workers.append(worker)
            worker.start()
            self.exits.callback(worker.stop)

    def _settings(self) -> dict[str, str | None]:
        return {**site_environment(self.redis_url, f"sqlite:///{self.database}"), **SETTINGS}

    def manage(self, *words: str, **env: str) -> None:
        """Run a command of the site to its end."""
        done = Program([sys.executable, MANAGE, *words], env={**self._settings(), **env}, name=words[0])
        assert done.run(within_seconds=60) == 0, done.tail()


@contextmanager
def staged() -> Iterator[Stage]:
    """The site without workers; its static files stay in ``var``."""
    with TemporaryDirectory() as folder, ExitStack() as exits:
        redis = exits.enter_context(RedisServer(Path(folder, "redis")))
        database = Path(folder, "database.sqlite3")
        connection = exits.enter_context(redis.connect())
        web = WebProcess(redis_url=redis.url, database_url=f"sqlite:///{database}", env=SETTINGS)
        stage = Stage(web, QueueClient(connection), redis.url, database, exits)
        stage.manage("migrate", "--verbosity", "0")
        stage.manage("collectstatic", "--noinput", "--verbosity", "0")
        account = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        stage.manage(
            "createsuperuser", "--noinput", "--username", USER, "--email", "ada@example.com", **account
        )
        exits.enter_context(web)
        yield stage
