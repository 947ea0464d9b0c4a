"""Schedules of the site's tasks, in processes that have not imported these tasks otherwise."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing.client import QueueClient
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.worker_process import MANAGE, site_environment

LOOK = """
from django.contrib.auth.models import User
from django.test import Client
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.create_superuser("admin"))
print(client.get("/admin/queueing/schedule/").content.decode())
"""


@pytest.fixture
def manage(redis_server: RedisServer, database: Path) -> Callable[..., str]:
    def run(*words: str) -> str:
        env = site_environment(redis_server.url, f"sqlite:///{database}")
        program = Program([sys.executable, MANAGE, *words], env=env, name=words[0])
        assert program.run() == 0, program.tail()
        return program.output

    return run


def test_a_command_sends_the_message_of_a_schedule_immediately(manage, client: QueueClient):
    id = manage("queues", "run-schedule", "jobs.tasks.tidy").strip()
    assert client.peek_message("default", id)


def test_the_console_shows_schedules_before_any_worker_registers_them(manage):
    page = manage("shell", "-c", LOOK)
    assert 'data-key="jobs.tasks.tidy"' in page
    assert "Run<" in page
