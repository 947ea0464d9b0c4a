"""Waiting for the end of a task: the end itself wakes the caller."""

import asyncio
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync

from queueing.client import QueueClient
from queueing.tasks import waiting
from queueing.tasks.compat import TaskResultDoesNotExist, task_backends
from queueing.testing import run_pending
from tests.support.waiting import eventually

from .app import tasks

pytestmark = pytest.mark.django_db
SECONDS = 60


@pytest.fixture(autouse=True)
def _sent_immediately(backend):
    backend(OPTIONS={"enqueue_on_commit": False})


@pytest.fixture
def checks(monkeypatch):
    """How often results were read. A caller that is not woken would wait for ever."""
    monkeypatch.setattr(waiting, "CHECK_SECONDS", 1e6)
    backend, counted = task_backends["default"], []
    read = type(backend).get_result

    def counting(self, result_id):
        counted.append(result_id)
        return read(self, result_id)

    monkeypatch.setattr(type(backend), "get_result", counting)
    return counted


def wait(id):
    return task_backends["default"].wait_result(id, timeout=SECONDS)


def wait_async(id):
    return asyncio.run(task_backends["default"].await_result(id, timeout=SECONDS))


def is_waiting(client: QueueClient, id: str) -> bool:
    """Whether the subscription to the end of this task has begun."""
    [(_, count)] = client.redis.pubsub_numsub(client.keys.ended(id))
    return count == 1


@pytest.mark.parametrize("waits", [wait, wait_async])
def test_the_end_wakes_the_caller(shared_client, checks, waits):
    result = tasks.add.enqueue(1, b=2)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(waits, result.id)
        eventually(lambda: is_waiting(shared_client, result.id))
        run_pending()
        assert ended.result(SECONDS).return_value == 3
    assert len(checks) <= 3, "at the start, after the subscription, and at the end"


@pytest.mark.parametrize("waits", [wait, wait_async])
def test_a_cancelled_task_wakes_the_caller(shared_client, checks, waits):
    result = tasks.add.using(queue_name="later").enqueue(1)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(waits, result.id)
        eventually(lambda: is_waiting(shared_client, result.id))
        assert task_backends["default"].cancel(result.id)
        assert str(ended.result(SECONDS).status) == "FAILED"


def test_a_retry_is_not_the_end(shared_client, checks):
    result = tasks.succeed_at.enqueue(2)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(wait, result.id)
        eventually(lambda: is_waiting(shared_client, result.id))
        assert [o.event for o in run_pending(limit=1)] == ["retrying"]
        assert not ended.done()
        run_pending(delayed=True)
        assert ended.result(SECONDS).return_value == 2


def test_a_result_that_is_there_is_returned(queues):
    result = tasks.add.enqueue(1)
    run_pending()
    backend = task_backends["default"]
    assert backend.wait_result(result.id, timeout=0).return_value == 2
    assert async_to_sync(backend.await_result)(result.id, timeout=0).return_value == 2


def test_the_time_is_over(queues):
    result = tasks.add.enqueue(1)
    backend = task_backends["default"]
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match=f"{result.id} has not ended within {timeout:g} s"):
            backend.wait_result(result.id, timeout=timeout)
        with pytest.raises(TimeoutError, match="has not ended"):
            async_to_sync(backend.await_result)(result.id, timeout=timeout)


@pytest.mark.parametrize("timeout", [-1, math.nan])
def test_a_timeout_that_makes_no_sense_is_refused(queues, timeout):
    with pytest.raises(ValueError, match="timeout is a number"):
        task_backends["default"].wait_result("0" * 32, timeout=timeout)


def test_an_unknown_task_is_not_waited_for(queues):
    with pytest.raises(TaskResultDoesNotExist, match="not sent yet: tasks are sent at the commit"):
        task_backends["default"].wait_result("0" * 32)


def test_a_wait_ends_with_its_coroutine(shared_client):
    async def give_up():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await task_backends["default"].await_result(tasks_id, timeout=SECONDS)

    tasks_id = tasks.add.enqueue(1).id
    thread = threading.Thread(target=lambda: asyncio.run(give_up()))
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive()
    eventually(lambda: not is_waiting(shared_client, tasks_id))
