"""/healthz and /readyz: what a platform asks."""

import json
import sys
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from django.test import Client

from queueing import views
from queueing.client import QueueClient
from tests.support.clock import Clock
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.worker_process import site_environment


def test_healthz_asks_nothing_but_the_process(
    django_assert_num_queries: Any, redis_away: None, db: Any
) -> None:
    with django_assert_num_queries(0):
        response = Client().get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_readyz_when_both_answer(queue: QueueClient) -> None:
    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "redis": "ok", "database": "ok"}


@pytest.mark.django_db(transaction=True)
def test_readyz_names_the_one_that_does_not_and_no_secret(redis_away: Clock) -> None:
    response = Client().get("/readyz")

    assert redis_away.passed_seconds < 2
    assert response.status_code == 503
    assert response.json() == {"ready": False, "redis": "does not answer", "database": "ok"}
    assert "secret" not in response.content.decode()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A database whose driver never comes back; how often it was asked."""
    asked: list[int] = []
    release = Event()

    def hang() -> None:
        asked.append(1)
        release.wait(60)

    monkeypatch.setattr(views, "PROBES", (views.PROBES[0], views.Probe("database", hang)))
    monkeypatch.setattr(views, "PATIENCE_SECONDS", 0.1)
    yield asked
    release.set()


def test_readyz_waits_for_no_driver_and_asks_once(queue: QueueClient, hanging: list[int]) -> None:
    for _ in range(3):
        response = Client().get("/readyz")
        assert response.status_code == 503
        assert response.json()["database"] == "does not answer"

    assert hanging == [1]


ASK = """
import json, django
django.setup()
from django.test import Client
client = Client(headers={"host": "localhost"}, raise_request_exception=False)
paths = ("/healthz", "/readyz", "/metrics", "/queues.json", "/readyz?x")
answers = {path: client.get(path) for path in paths}
print("TOLD", json.dumps({path: answer.status_code for path, answer in answers.items()}))
print("READY", answers["/readyz"].content.decode())
"""


@pytest.mark.parametrize("scheme", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////nowhere/at/all"])
def test_programs_are_answered_within_every_guard_of_a_project_while_the_database_is_away(
    scheme: str, redis_server: RedisServer
) -> None:
    env = {
        **site_environment(redis_server.url, scheme),
        "DJANGO_SETTINGS_MODULE": "tests.unit.admin.guarded_settings",
        "DEBUG": "1",
    }
    program = Program([sys.executable, "-c", ASK], env=env)
    assert program.run() == 0, program.tail()
    told = {line.partition(" ")[0]: line.partition(" ")[2] for line in program.lines}
    expected = {"/healthz": 200, "/readyz": 503, "/metrics": 200, "/queues.json": 200, "/readyz?x": 503}
    assert json.loads(told["TOLD"]) == expected
    assert json.loads(told["READY"]) == {"ready": False, "redis": "ok", "database": "does not answer"}
