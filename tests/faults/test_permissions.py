"""Real workers as Redis users with the documented permissions, and with fewer."""

import re
from collections.abc import Callable

import pytest
import redis

from queueing.monitoring.workers import read_workers
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

from .scene import Scene


@pytest.fixture
def rule() -> list[str]:
    """The documented rule of a worker."""
    page = (ROOT / "docs" / "redis.md").read_text()
    found = re.search(r"### Worker.*?```text\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1].split()


@pytest.fixture
def log_in(redis_server: RedisServer, redis_connection: redis.Redis) -> Callable[..., str]:
    """Makes a user with these rules; returns the URL with its name and password."""

    def make(*rules: str) -> str:
        redis_connection.execute_command(
            "ACL", "SETUSER", "app", "reset", "on", ">p@ss/1", "resetchannels", *rules
        )
        return f"redis://app:p%40ss%2F1@127.0.0.1:{redis_server.port}/0"

    return make


def test_the_documented_rule_is_enough_for_a_worker(
    scene: Scene, log_in: Callable[..., str], rule: list[str], redis_connection: redis.Redis
):
    with scene.worker("slow", "raising", "sending", redis_url=log_in(*rule)) as process:
        queues = {"raising", "sending", "ledger"}
        eventually(lambda: queues <= set(scene.client.list_queues()), of=process)
        done = [scene.send("0 one"), scene.client.send_message("sending", "two")]
        dead = scene.client.send_message("raising", "three")
        scene.done(process, *done)
        eventually(lambda: scene.diary.ids("dead") == {dead}, of=process)
        eventually(lambda: read_workers(scene.client.session), of=process)
    refused = redis_connection.acl_log()
    assert [entry["object"] for entry in refused] == []
    assert "refuse" not in process.output


@pytest.mark.parametrize(
    ("without", "sentence"),
    [("subscribe", "SUBSCRIBE"), ("info", "maxmemory-policy"), ("publish", "PUBLISH")],
)
def test_a_worker_without_a_permission_logs_it_once_and_polls(
    scene: Scene, log_in: Callable[..., str], rule: list[str], without: str, sentence: str
):
    with scene.worker("slow", "ledger", redis_url=log_in(*rule, f"-{without}")) as process:
        process.wait_for_line(sentence)
        ids = [scene.send("0 one")]
        scene.done(process, *ids)
        ids.append(scene.send("0 two"))
        scene.done(process, *ids)
        assert sum(sentence in line for line in process.lines) == 1
    assert "Traceback" not in process.output
    scene.ledger.assert_each_ran_once(ids)
