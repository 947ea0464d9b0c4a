"""Results, cancellation and tests of staged tasks: the row of a task stands for it until it is sent."""

import unittest

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test import TestCase, override_settings

from queueing.client import QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from queueing.models import StagedMessage
from queueing.tasks.compat import TaskResultDoesNotExist, TaskResultStatus, task_backends
from queueing.testing import run_pending, send_staged
from queueing.transactional import staging
from tests.unit.tasks.app import tasks

pytestmark = pytest.mark.django_db(transaction=True)
TASKS = {
    "default": {
        "BACKEND": "queueing.tasks_backend.RSMQBackend",
        "QUEUES": [],
        "OPTIONS": {"enqueue": "transaction"},
    }
}


@pytest.fixture(autouse=True)
def staged(settings, shared_client: QueueClient):
    """Tasks are staged in the default database."""
    settings.TASKS = TASKS
    staging._away_until.get()[0] = 0.0
    return shared_client


def left_behind() -> str:
    """A task whose process died after the commit: its id."""
    with transaction.atomic():
        result = tasks.add.enqueue(1, 2)
        connection.run_on_commit = []
    return result.id


def waiting(client: QueueClient) -> int:
    return client.get_queue_attributes("default").msgs if client.list_queues() else 0


class TestResults:
    def test_a_task_that_waits_for_the_relay_is_ready(self, staged):
        result = task_backends["default"].get_result(left_behind())
        assert result.status == TaskResultStatus.READY
        assert result.args == [1, 2]

    def test_a_task_of_the_open_transaction_is_ready(self, staged):
        with transaction.atomic():
            result = tasks.add.enqueue(1, 2)
            result.refresh()
            assert result.status == TaskResultStatus.READY

    def test_one_that_was_rolled_back_does_not_exist(self, staged):
        with transaction.atomic():
            result = tasks.add.enqueue(1, 2)
            transaction.set_rollback(True)
        with pytest.raises(TaskResultDoesNotExist):
            task_backends["default"].get_result(result.id)

    def test_one_that_is_sent_between_two_looks_is_found(self, staged, monkeypatch):
        id = left_behind()
        from queueing.tasks import results

        def sent_meanwhile(id: str) -> None:
            send_staged()

        monkeypatch.setattr(results, "_staged_row", sent_meanwhile)
        assert task_backends["default"].get_result(id).status == TaskResultStatus.READY


class TestCancel:
    def test_a_task_that_waits_for_the_relay_never_runs(self, staged):
        id = left_behind()
        assert task_backends["default"].cancel(id)
        assert not StagedMessage.objects.exists()
        assert waiting(staged) == 0
        assert run_pending() == []
        assert task_backends["default"].get_result(id).status == TaskResultStatus.FAILED

    def test_a_task_of_the_open_transaction_is_deleted_with_it(self, staged):
        with transaction.atomic():
            first, second = tasks.add.enqueue(1, 2), tasks.add.enqueue(3, 4)
            assert task_backends["default"].cancel(first.id)
        assert waiting(staged) == 1
        [outcome] = run_pending()
        assert outcome.id == second.id

    def test_one_of_a_batch_of_the_open_transaction_is_deleted_alone(self, staged):
        with transaction.atomic():
            results = task_backends["default"].enqueue_many(tasks.add, [((n, 0), {}) for n in range(3)])
            assert task_backends["default"].cancel(results[1].id)
        assert waiting(staged) == 2
        assert not StagedMessage.objects.exists()

    def test_a_rollback_takes_the_cancellation_back_with_the_task(self, staged):
        with transaction.atomic():
            assert task_backends["default"].cancel(tasks.add.enqueue(1, 2).id)
            transaction.set_rollback(True)
        assert not StagedMessage.objects.exists()

    def test_a_committed_task_is_cancelled_within_another_transaction(self, staged):
        id = left_behind()
        with transaction.atomic():
            assert task_backends["default"].cancel(id)
        assert waiting(staged) == 0

    def test_while_redis_is_away_it_raises_and_the_row_stays(self, staged):
        id = left_behind()
        use_client(connect(Config(URL="redis://127.0.0.1:1")))
        with pytest.raises(QueueUnavailable):
            task_backends["default"].cancel(id)
        assert StagedMessage.objects.count() == 1


class TestHelper:
    def test_it_sends_in_a_transaction_that_is_never_committed(self, staged):
        class ShopTest(TestCase):
            def test_order(self):
                with self.captureOnCommitCallbacks() as callbacks:
                    tasks.add.enqueue(1, 2)
                assert waiting(staged) == 0
                assert send_staged() == 1
                assert waiting(staged) == 1
                for callback in callbacks:
                    callback()
                assert waiting(staged) == 1

        found = unittest.TestResult()
        unittest.TestSuite([ShopTest("test_order")]).run(found)
        assert found.testsRun == 1
        assert not found.errors + found.failures, (found.errors, found.failures)


class TestChecks:
    @override_settings(QUEUEING={"RELAY_DATABASES": ["default", "orders"]})
    def test_an_alias_that_does_not_exist_is_an_error(self):
        [error] = [found for found in run_checks() if found.id == "queueing.E016"]
        assert "orders" in error.msg
        assert "default" in error.hint

    @override_settings(QUEUEING={"RELAY_DATABASES": ["default"]})
    def test_a_database_without_the_table_is_a_warning(self):
        assert not [found for found in run_checks(databases=["default"]) if found.id == "queueing.W003"]
        with connection.schema_editor() as editor:
            editor.delete_model(StagedMessage)
        try:
            [warning] = [found for found in run_checks(databases=["default"]) if found.id == "queueing.W003"]
        finally:
            with connection.schema_editor() as editor:
                editor.create_model(StagedMessage)
        assert "migrate queueing --database default" in warning.hint
