"""Staged messages with two databases and with ATOMIC_REQUESTS, run by ``test_engines.py`` on each engine."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

import queueing
from mqsite.urls import urlpatterns as site_urls
from queueing.admin.staged.actions import listed
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.models import StagedMessage
from queueing.tasks.compat import task_backends
from queueing.transactional import backlog, sending, staging
from queueing.worker.relay import Relay
from tests.unit.tasks.app import tasks

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


def order(request: HttpRequest) -> HttpResponse:
    """A view that enqueues, and fails if it is asked to."""
    Group.objects.create(name="an order")
    tasks.add.enqueue(1, 2)
    if "fail" in request.GET:
        raise ZeroDivisionError
    return HttpResponse(str(queueing.get_client().list_queues()))


urlpatterns = [path("order", order), *site_urls]


@pytest.fixture(autouse=True)
def staged(settings: Any, shared_client: QueueClient) -> QueueClient:
    settings.TASKS = {
        "default": {
            "BACKEND": "queueing.tasks_backend.RSMQBackend",
            "QUEUES": [],
            "OPTIONS": {"enqueue": "transaction"},
        }
    }
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default", "other"], "QUEUES": ["letters"]}
    settings.ROOT_URLCONF = "tests.integration.staged.cases"
    staging._away_until.get()[0] = 0.0
    return shared_client


def bodies(client: QueueClient) -> list[str]:
    return [message.body for message in client.peek_messages("letters", count=1000)]


def send(text: str) -> str:
    return queueing.send_message("letters", text, via="database")


def rows(alias: str) -> int:
    return StagedMessage.objects.using(alias).count()


class TestDatabases:
    def test_a_message_is_staged_in_the_database_of_the_transaction(self, staged: QueueClient) -> None:
        with transaction.atomic(using="other"):
            send("a")
            assert (rows("default"), rows("other")) == (0, 1)
        assert bodies(staged) == ["a"]
        assert (rows("default"), rows("other")) == (0, 0)

    def test_a_rollback_there_sends_nothing(self, staged: QueueClient) -> None:
        with transaction.atomic(using="other"):
            send("a")
            transaction.set_rollback(True, using="other")
        assert rows("other") == 0
        assert staged.list_queues() == []

    def test_the_first_named_database_decides_between_two_transactions(self, staged: QueueClient) -> None:
        with transaction.atomic(using="other"), transaction.atomic():
            send("a")
            assert (rows("default"), rows("other")) == (1, 0)

    def test_a_database_that_is_not_named_is_refused(self, staged: QueueClient, settings: Any) -> None:
        settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}
        with (
            pytest.raises(ImproperlyConfigured, match="migrate queueing --database other"),
            transaction.atomic(using="other"),
        ):
            send("a")

    @pytest.mark.django_db(databases=["default", "other"])
    def test_the_transaction_of_a_test_is_not_one_of_the_project(
        self, staged: QueueClient, settings: Any
    ) -> None:
        settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["other"]}
        send("a")
        assert (rows("default"), rows("other")) == (0, 1)

    def test_one_relay_serves_both(self, staged: QueueClient) -> None:
        for alias in ("default", "other"):
            with transaction.atomic(using=alias):
                for number in range(20):
                    send(f"{alias} {number}")
                connections[alias].run_on_commit = []
        relay = Relay(staged, ["default", "other"], name="relay")
        for _ in range(6):
            relay.step()
        found = bodies(staged)
        for alias in ("default", "other"):
            own = [body for body in found if body.startswith(alias)]
            assert own == [f"{alias} {number}" for number in range(20)]
        assert (rows("default"), rows("other")) == (0, 0)

    def test_a_database_that_fails_does_not_delay_the_other(self, staged: QueueClient) -> None:
        with transaction.atomic(using="other"):
            send("a")
            connections["other"].run_on_commit = []
        relay = Relay(staged, ["default", "other"], name="relay")
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE queueing_stagedmessage RENAME TO set_aside")
        try:
            for _ in range(3):
                relay.step()
        finally:
            with connections["default"].cursor() as cursor:
                cursor.execute("ALTER TABLE set_aside RENAME TO queueing_stagedmessage")
        assert bodies(staged) == ["a"]

    def test_a_task_is_found_and_cancelled_in_any_of_them(self, staged: QueueClient) -> None:
        with transaction.atomic(using="other"):
            result = tasks.add.enqueue(1, 2)
            connections["other"].run_on_commit = []
        result.refresh()
        assert task_backends["default"].cancel(result.id)
        assert rows("other") == 0


class TestRequests:
    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    def test_the_task_of_a_request_is_sent_after_it(self, staged: QueueClient) -> None:
        assert Client().get("/order").content == b"[]"
        assert staged.get_queue_attributes("default").msgs == 1
        assert rows("default") == 0

    def test_a_request_that_fails_sends_nothing(self, staged: QueueClient) -> None:
        with pytest.raises(ZeroDivisionError):
            Client().get("/order?fail")
        assert not Group.objects.exists()
        assert rows("default") == 0
        assert staged.list_queues() == []


class TestRows:
    def test_a_body_of_any_bytes_comes_back_as_it_was(self, staged: QueueClient) -> None:
        texts = ["漢字 😀", "nul\0", "\udcff", "é" * 60_000]
        with transaction.atomic():
            for text in texts:
                send(text)
        assert bodies(staged) == texts

    def test_the_list_of_the_console_reads_the_beginning_of_a_body(self, staged: QueueClient) -> None:
        with transaction.atomic():
            send("x" * 50_000)
            connections["default"].run_on_commit = []
        [row] = listed(StagedMessage.objects.all())
        assert bytes(row.body_start) == b"x" * 1000
        assert backlog.figures("default").waiting == 1

    def test_a_refused_message_is_kept_with_a_long_reason(self, staged: QueueClient) -> None:
        with transaction.atomic():
            send("a")
            connections["default"].run_on_commit = []
        [row] = StagedMessage.objects.all()
        sending._refuse("default", row, QueueError("é" * 400))
        assert StagedMessage.objects.get().refusal == "é" * 255
