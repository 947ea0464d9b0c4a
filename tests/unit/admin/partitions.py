"""Two partitions, each on a Redis of its own, and what the tests ask of them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

import queueing
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.messages import Timing
from queueing.monitoring import alerts
from queueing.monitoring.workers import beat
from queueing.scheduling import store
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS

TOKEN = "a token of some characters"
SAID = "The partition eu does not answer."


@pytest.fixture
def servers(own_redis: Callable[..., RedisServer], settings: Any) -> Iterator[dict[str, RedisServer]]:
    """Two partitions with a queue, a worker and a schedule each."""
    made = {"default": own_redis(), "eu": own_redis()}
    settings.QUEUEING = {
        "URL": made["default"].url,
        "TIMEOUT": HANG_SECONDS,
        "METRICS_TOKEN": TOKEN,
        "PARTITIONS": {"eu": {"URL": made["eu"].url}},
        "PLACES": {"mail": "eu"},
    }
    use_client(None)
    for queue in ("orders", "mail"):
        queueing.get_client().create_queue(queue)
        queueing.send_message(queue, "text")
        part = part_of(queue)
        beat(part.session, f"worker-of-{queue}", json.dumps({"token": "t", "queues": [queue]}), "t")
        store.name_schedules(part.session, [Timing(f"tick-of-{queue}", "@daily", "", queue, "skip")])
    alerts.forget()
    yield made
    use_client(None)


def part_of(queue: str) -> QueueClient:
    return queueing.get_client().at([queue])


def scrape(path: str) -> str:
    return Client().get(path, headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()


def page(browser: Client, model: str) -> str:
    return browser.get(reverse(f"admin:queueing_{model}_changelist")).content.decode()
