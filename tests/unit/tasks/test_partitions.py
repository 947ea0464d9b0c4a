"""Tasks on several partitions: each goes to that of its queue, and its result is found there."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command

import queueing
from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.exceptions import QueueUnavailable
from queueing.models import StagedMessage
from queueing.tasks.compat import TaskResultDoesNotExist, task_backends
from queueing.testing import run_pending
from queueing.transactional import backlog
from queueing.worker.relay import Relay
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS, eventually

from .app import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def client(redis_server: RedisServer, settings, backend) -> Iterator[QueueClient]:
    settings.QUEUEING = {
        "URL": redis_server.url,
        "TIMEOUT": HANG_SECONDS,
        "RELAY_DATABASES": ["default"],
        "PARTITIONS": {"other": {"NAMESPACE": "other"}, "away": {"URL": "redis://127.0.0.1:1/0"}},
        "PLACES": {"later": "other", "lost": "away"},
    }
    use_client(None)
    backend(OPTIONS={"enqueue_on_commit": False})
    yield queueing.get_client()
    use_client(None)


def test_a_task_and_its_siblings_are_on_the_partition_of_its_queue(client: QueueClient):
    tasks.add.enqueue(1)
    tasks.add.using(queue_name="later", priority=-5).enqueue(1)
    default, other, _ = client.parts
    assert default.list_queues() == ["default"]
    assert sorted(other.list_queues()) == ["later", "later-low"]


@pytest.mark.parametrize("queue", ["default", "later"])
def test_a_result_is_found_and_awaited_on_its_partition(queue: str):
    result = tasks.add.using(queue_name=queue).enqueue(1, b=2)
    backend = task_backends["default"]
    assert backend.get_result(result.id).task.queue_name == queue
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(backend.wait_result, result.id, timeout=60)
        run_pending(queue)
        assert ended.result(60).return_value == 3
    assert asyncio.run(backend.await_result(result.id, timeout=60)).return_value == 3


def test_a_task_that_has_failed_before_it_moved_keeps_all_its_outcomes(settings):
    parts = {"PARTITIONS": {"other": {"NAMESPACE": "other"}}}
    settings.QUEUEING = {**settings.QUEUEING, **parts, "PLACES": {}}
    result = tasks.succeed_at.using(queue_name="later").enqueue(2)
    run_pending("later", limit=1)
    settings.QUEUEING = {**settings.QUEUEING, "PLACES": {"later": "other"}}
    call_command("queues", "relocate", "later")
    found = task_backends["default"].get_result(result.id)
    assert (found.status, len(found.errors)) == ("READY", 1)
    run_pending("later", delayed=True)
    # Attempts count from zero on the second partition: one fails, and the next one succeeds.
    found = task_backends["default"].get_result(result.id)
    assert (found.status, len(found.errors), found.attempts) == ("SUCCESSFUL", 2, 3)


def test_a_waiting_task_is_cancelled_on_its_partition():
    result = tasks.add.using(queue_name="later").enqueue(1)
    assert task_backends["default"].cancel(result.id)
    assert not run_pending("later")


def test_a_partition_that_is_away_hides_no_result_of_another(backend):
    queues = ["default", "later", "lost"]
    backend(QUEUES=queues, OPTIONS={"enqueue_on_commit": False})
    result = tasks.add.using(queue_name="later").enqueue(1)
    assert task_backends["default"].get_result(result.id).status == "READY"
    with pytest.raises(QueueUnavailable):
        task_backends["default"].get_result("0" * 32)
    backend(QUEUES=queues[:2], OPTIONS={"enqueue_on_commit": False})
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result("0" * 32)


@pytest.mark.django_db(transaction=True)
def test_staged_messages_reach_their_partitions_although_one_is_away(client: QueueClient):
    for queue in ("default", "later"):
        client.create_queue(queue)
    for queue in ("lost", "default", "later", "lost"):
        queueing.send_message(queue, queue, via="database")
    with pytest.raises(QueueUnavailable):
        backlog.retry(client, "default", set(StagedMessage.objects.values_list("id", flat=True)))
    assert set(StagedMessage.objects.values_list("queue", flat=True)) == {"lost"}
    assert client.receive_message("default").body == "default"
    assert client.receive_message("later").body == "later"


@pytest.mark.django_db(transaction=True)
def test_the_relay_of_a_worker_sends_the_messages_of_its_partition_alone(client: QueueClient):
    for queue in ("default", "later"):
        client.create_queue(queue)
        StagedMessage.objects.bulk_create(
            StagedMessage(
                queue=queue, message_id=f"{number}{queue:x>31}", sender=f"{queue}{number}", number=1
            )
            for number in range(2)
        )
    relay = Relay(client.at(["later"]), ["default"], name="relay")
    eventually(lambda: relay.step() and client.get_queue_attributes("later").msgs == 2)
    assert client.get_queue_attributes("default").msgs == 0
    assert set(StagedMessage.objects.values_list("queue", flat=True)) == {"default"}
