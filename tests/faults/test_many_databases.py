"""A project with several databases: the history is in the one that the router returns for writing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, WorkerProcess, environment

#: The database for writing of each case. The other one has no tables, so a query that goes there fails.
CASES = {"replica": "default", "elsewhere": "second", "no default": "second"}
LOOK = """
import json, sys
import django
django.setup()
from django.db import transaction
from django.test import Client
from queueing import get_client
from queueing.history import lookup, writer
from queueing.models import Attempt, Job
from tests.unit.tasks.app import tasks
ids = sys.argv[1:]
alias, told = Job.objects.db, {}
told["ready"] = Client(headers={"host": "localhost"}).get("/readyz").json()["database"]
told["jobs"] = Job.objects.count()
told["attempts"] = [Job.objects.get(message_id=id).history.count() for id in ids]
told["results"] = [str(tasks.add.get_backend().get_result(id).status) for id in ids]
told["errors"] = [len(tasks.add.get_backend().get_result(id).errors) for id in ids]
try:
    with transaction.atomic(using=alias):
        tasks.add.using(queue_name="mails").enqueue(1)
        raise ZeroDivisionError
except ZeroDivisionError:
    told["sent after a rollback"] = "mails" in get_client().list_queues()
with transaction.atomic(using="second"), transaction.atomic(using=alias):
    tasks.add.using(queue_name="mails").enqueue(1)
    told["sent before the commit"] = "mails" in get_client().list_queues()
told["sent at the commit"] = get_client().get_queue_attributes("mails").msgs
try:
    with transaction.atomic(using="second"):
        with transaction.atomic(using=alias):
            tasks.add.using(queue_name="mails").enqueue(1)
        raise ZeroDivisionError
except ZeroDivisionError:
    told["sent after the other was rolled back"] = get_client().get_queue_attributes("mails").msgs - 1
writer.prune(days=30, rows=1)
told["after pruning"] = Job.objects.count()
print("TOLD", json.dumps(told))
"""


@pytest.fixture(params=CASES)
def several(request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer) -> dict[str, Any]:
    """The environment of a process with two databases. Only the right one has tables."""
    path = tmp_path / "first.sqlite3"
    env = {
        **environment(redis_server.url, path, tmp_path / "ledger"),
        "DJANGO_SETTINGS_MODULE": "tests.faults.many_databases",
        "TEST_DATABASES": request.param,
        "DEBUG": "1",
    }
    alias = CASES[request.param]
    migrating = Program([sys.executable, MANAGE, "migrate", "--verbosity", "0", "--database", alias], env=env)
    assert migrating.run() == 0, migrating.tail()
    return {**env, "HISTORY": str(path) + (".second" if alias == "second" else "")}


def test_the_history_is_written_and_read_in_the_routers_database_for_writing(
    several: dict[str, Any],
    worker: Callable[..., WorkerProcess],
    client: QueueClient,
    invariants: Invariants,
):
    invariants.do_not_hold("these tasks keep no ledger")

    def send(task: str, *args: Any) -> str:
        body = {"django_task": 1, "task": f"tests.unit.tasks.app.tasks.{task}", "args": args, "kwargs": {}}
        return client.send_message("default", json.dumps(body))

    client.create_queue("default")
    with worker("default", env=several) as process:
        ids = [send("add", 1), send("succeed_at", 3)]
        diary = Diary(Path(several["HISTORY"]))
        eventually(lambda: diary.states() == {"done": 2}, of=process)
    looking = Program([sys.executable, "-c", LOOK, *ids], env=several)
    assert looking.run() == 0, looking.tail()
    [told] = [line for line in looking.lines if line.startswith("TOLD ")]
    assert json.loads(told.removeprefix("TOLD ")) == {
        "ready": "ok",
        "jobs": 2,
        "attempts": [1, 3],
        "results": ["SUCCESSFUL", "SUCCESSFUL"],
        "errors": [0, 2],
        "sent after a rollback": False,
        "sent before the commit": False,
        "sent at the commit": 1,
        "sent after the other was rolled back": 0,
        "after pruning": 1,
    }
