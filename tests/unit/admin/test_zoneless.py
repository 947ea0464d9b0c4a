"""A project with USE_TZ = False: the history is written, found and shown in its local time."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from queueing.client import QueueClient
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess, environment, migrate

HERE = ZoneInfo("America/New_York")
LOOK = """
import json, sys, time
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from queueing.history import writer
from queueing.models import Attempt, Job
from tests.unit.tasks.app import tasks
done, failed = sys.argv[1:3]
deadline = time.monotonic() + 30
while Attempt.objects.count() < 3 and time.monotonic() < deadline:
    time.sleep(0.1)
client = Client(headers={"host": "localhost"}, raise_request_exception=False)
client.force_login(get_user_model().objects.create_superuser("boss", "", "x"))
pages, texts = {}, {}
for path in sys.argv[3:]:
    path = path.replace("PK", str(Job.objects.get(message_id=done).pk))
    answer = client.get(path)
    pages[path] = answer.status_code
    texts[path] = (b"".join(answer) if answer.streaming else answer.content).decode()
told = {"pages": pages, "texts": texts}
told["age"] = time.time() - Job.objects.get(message_id=done).finished_at.timestamp()
results = [tasks.add.get_backend().get_result(id) for id in (done, failed)]
told["results"] = [str(result.status) for result in results]
told["ages"] = [time.time() - result.finished_at.timestamp() for result in results]
writer.prune(days=1, rows=1)
told["left"] = Job.objects.count()
sys.stdout.write(f"TOLD {json.dumps(told)}\\n")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        path = f"sqlite:///{tmp_path / 'zoneless.sqlite3'}"
        url = path if request.param == "sqlite" else stack.enter_context(PostgresServer()).url
        migrate(url)
        yield url


def pages() -> dict[str, bool]:
    """Path -> whether it shows the two jobs."""
    jobs, now = "/admin/queueing/job/", datetime.now(HERE).replace(tzinfo=None)
    hour_ago, in_an_hour = now - timedelta(hours=1), now + timedelta(hours=1)
    lists = {
        jobs: True,
        f"{jobs}?period=hour": True,
        f"{jobs}?since={hour_ago.isoformat()}&until={in_an_hour.isoformat()}": True,
        f"{jobs}?until={hour_ago.isoformat()}": False,
        f"{jobs}export/?period=hour": True,
    }
    others = (
        f"{jobs}PK/change/",
        f"{jobs}failures/",
        "/admin/queueing/queue/",
        "/admin/queueing/queue/default/change/",
    )
    return {**lists, **dict.fromkeys(others, False)}


def test_the_history_and_its_pages_work_without_time_zones(
    database_url: str, worker: Callable[..., WorkerProcess], client: QueueClient, redis_server: RedisServer
):
    def send(task: str, *args: Any) -> str:
        body = {"django_task": 1, "task": f"tests.unit.tasks.app.tasks.{task}", "args": args, "kwargs": {}}
        return client.send_message("default", json.dumps(body))

    client.create_queue("default")
    env = {
        **environment(redis_server.url, Path("none")),
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "tests.unit.admin.zoneless_settings",
        "DEBUG": "1",
    }
    paths = pages()
    with worker("default", env=env) as process:
        ids = [send("add", 1), send("fail", "no")]
        eventually(lambda: client.get_queue_attributes("default").msgs == 0, within_seconds=20, of=process)
        looking = Program([sys.executable, "-c", LOOK, *ids, *paths], env=env)
        assert looking.run() == 0, looking.tail()
    [line] = [line for line in looking.lines if line.startswith("TOLD ")]
    told = json.loads(line.removeprefix("TOLD "))
    assert {path: code for path, code in told["pages"].items() if code != 200} == {}
    shown = {path: ids[0] in text for path, text in told["texts"].items() if path in paths and paths[path]}
    assert set(shown.values()) == {True}, shown
    [hidden] = [text for path, text in told["texts"].items() if path.startswith("/admin/queueing/job/?until")]
    assert ids[0] not in hidden
    assert told["results"] == ["SUCCESSFUL", "FAILED"]
    assert all(0 <= age < 120 for age in [told["age"], *told["ages"]])
    assert told["left"] == 1
    times = re.findall(r'<time datetime="([^"]+)"', told["texts"]["/admin/queueing/job/"])
    assert {datetime.fromisoformat(time).utcoffset() for time in times} == {datetime.now(HERE).utcoffset()}
