"""Tasks on our backend: in this process on a fake Redis, or with real workers on a real one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from queueing.client import QueueClient
from queueing.testing import fake_queues
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.worker_process import WorkerProcess

BACKEND = "queueing.tasks_backend.RSMQBackend"


@pytest.fixture(autouse=True)
def backend(settings):
    """``backend(QUEUES=…, OPTIONS=…)`` sets ``TASKS`` and returns the backend; at first with any queue."""
    from queueing.tasks.compat import task_backends

    def use(alias: str = "default", **params):
        settings.TASKS = {alias: {"BACKEND": BACKEND, "QUEUES": [], **params}}
        return task_backends[alias]

    use()
    return use


@pytest.fixture
def queues() -> Iterator[QueueClient]:
    """The client of this process, on a Redis in memory."""
    with fake_queues() as client:
        yield client


@pytest.fixture
def task_worker(
    worker: Callable[..., WorkerProcess], redis_server: RedisServer, shared_client: QueueClient
) -> Callable[..., WorkerProcess]:
    """Makes workers that run the tasks of ``tests/unit/tasks/app``; this process sends to the same Redis."""
    return lambda *options, **env: worker(
        *options, env={"DJANGO_SETTINGS_MODULE": "tests.unit.tasks.settings", **env}
    )


@pytest.fixture
def tasks_ledger(ledger: Ledger) -> Ledger:
    return ledger


@pytest.fixture
def workers_database(settings, database: Path, django_db_blocker):
    """Let this process read the history in the database of the workers."""
    from django.db import connections

    with django_db_blocker.unblock():
        connection = connections.create_connection("default")
        connection.settings_dict = {**connection.settings_dict, "NAME": str(database)}
        before = connections["default"]
        connections["default"] = connection
        yield
        connection.close()
        connections["default"] = before
