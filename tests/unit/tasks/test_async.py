"""Enqueueing from async code: without a thread, and in the transactions that Django keeps in a thread."""

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction

from queueing.exceptions import MessageTooLong
from queueing.tasks.compat import signals

from .app import tasks


def ids(queues) -> list[str]:
    return (
        [message.id for message in queues.peek_messages("default", count=100)] if queues.list_queues() else []
    )


def test_tasks_are_enqueued_without_a_thread(shared_client, backend):
    before = set(threading.enumerate())

    async def enqueue() -> list[str]:
        results = await asyncio.gather(*(tasks.add.aenqueue(n) for n in range(20)))
        results += await backend().aenqueue_many(tasks.add, [([1], {}), ([2], {"b": 3})])
        assert set(threading.enumerate()) <= before
        return [result.id for result in results]

    assert sorted(asyncio.run(enqueue())) == sorted(ids(shared_client))


def test_a_task_with_a_priority_below_zero_creates_its_queues(shared_client):
    result = asyncio.run(tasks.add.using(priority=-5).aenqueue(1))
    assert [message.id for message in shared_client.peek_messages("default-low")] == [result.id]
    assert sorted(shared_client.list_queues()) == ["default", "default-low"]


def test_a_message_that_is_too_long_is_refused_with_the_name_of_the_task(shared_client):
    with pytest.raises(MessageTooLong, match=r"tests\.unit\.tasks\.app\.tasks\.add .* 65,536"):
        asyncio.run(tasks.add.aenqueue("x" * 70_000))


def test_a_receiver_of_the_project_runs_outside_of_the_loop(shared_client):
    seen = []

    def enqueued(task_result, **_):
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        seen.append(task_result.id)

    signals.task_enqueued.connect(enqueued)
    result = asyncio.run(tasks.add.aenqueue(1))
    assert seen == [result.id]


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_a_task_of_a_caller_in_a_transaction_is_sent_at_its_commit(self, shared_client):
        with transaction.atomic():
            result = async_to_sync(tasks.add.aenqueue)(1)
            assert ids(shared_client) == []
        assert ids(shared_client) == [result.id]

    def test_a_rolled_back_task_is_not_sent(self, shared_client, backend):
        with transaction.atomic():
            async_to_sync(tasks.add.aenqueue)(1)
            async_to_sync(backend().aenqueue_many)(tasks.add, [([1], {})])
            transaction.set_rollback(True)
        assert ids(shared_client) == []

    def test_a_transaction_in_the_thread_of_async_code_counts(self, shared_client):
        async def enqueue() -> str:
            block = transaction.atomic()
            await sync_to_async(block.__enter__)()
            result = await tasks.add.aenqueue(1)
            assert ids(shared_client) == []
            await sync_to_async(block.__exit__)(None, None, None)
            await sync_to_async(connections.close_all)()
            return result.id

        assert [asyncio.run(enqueue())] == ids(shared_client)

    def test_without_the_option_it_does_not_wait(self, shared_client, backend):
        backend(OPTIONS={"enqueue_on_commit": False})
        with transaction.atomic():
            result = async_to_sync(tasks.add.aenqueue)(1)
            assert ids(shared_client) == [result.id]
