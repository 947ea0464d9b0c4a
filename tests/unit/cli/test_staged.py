"""The verbs for staged messages: staged, send-staged, delete-staged."""

from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection, transaction

import queueing
from queueing.models import StagedMessage

from .conftest import HOSTILE, Queues

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _relayed(settings: Any) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": ["default"]}


def stage(*bodies: str, queue: str = "mail") -> list[str]:
    """Rows as a process leaves them that dies after the commit: the ids of their messages."""
    with transaction.atomic():
        ids = [queueing.send_message(queue, body, via="database") for body in bodies]
        connection.run_on_commit = []
    return ids


def refuse(id: str, reason: str = "Queue not found") -> None:
    StagedMessage.objects.filter(message_id=id).update(is_refused=True, refusal=reason)


def test_staged_messages_are_listed_with_the_reason(queues: Queues, mail: Any):
    waiting, refused = stage("a", "b")
    refuse(refused)

    header, first, second = queues("staged").out.splitlines()

    assert header.split() == ["message", "queue", "database", "staged", "state", "reason"]
    assert first.split()[:3] == [waiting, "mail", "default"]
    assert "refused  Queue not found" in second
    assert queues("staged", "--refused").out.count("mail") == 1
    assert "1 more." in queues("staged", "--count", "1").err


def test_staged_messages_for_programs(queues: Queues, mail: Any):
    [id] = stage("a")
    [row] = queues("staged", "--json").json
    assert row["id"] == id
    assert row["state"] == "waiting"
    assert row["staged_ms"] > 1_500_000_000_000


def test_no_staged_message_is_a_sentence(queues: Queues, mail: Any):
    assert queues("staged").out == "No message is staged.\n"
    assert queues("staged", "--json").json == []
    stage("a")
    assert queues("staged", "--refused").out == "No staged message is refused.\n"


def test_hostile_reasons_are_escaped(queues: Queues, mail: Any):
    [id] = stage("a")
    refuse(id, HOSTILE.replace("\udcff", "").replace("\0", ""))
    assert "\x1b" not in queues("staged").out


def test_all_are_sent_in_their_order(queues: Queues, mail: Any):
    stage("a", "b", "c")
    assert queues("send-staged").out == "Sent 3 messages.\n"
    assert [message.body for message in mail.peek_messages("mail")] == ["a", "b", "c"]
    assert queues("send-staged").out == "Sent 0 messages.\n"


def test_a_refused_message_is_sent_once_its_queue_exists(queues: Queues, mail: Any):
    [id] = stage("a", queue="later")
    refuse(id)
    ran = queues("send-staged", id)
    assert (ran.out, "1 message not sent" in ran.err) == ("Sent 0 messages.\n", True)
    mail.create_queue("later")
    assert queues("send-staged", "--refused").out == "Sent 1 message.\n"


def test_deleting_asks_for_a_yes(queues: Queues, mail: Any):
    kept, deleted = stage("a", "b")
    with pytest.raises(CommandError, match="Delete 1 staged message"):
        queues("delete-staged", deleted)
    assert queues("delete-staged", deleted, "--yes").out == "Deleted 1 staged message.\n"
    assert StagedMessage.objects.get().message_id == kept


def test_a_message_is_listed_although_staging_was_switched_off(queues: Queues, mail: Any, settings: Any):
    [id] = stage("a")
    settings.QUEUEING = {**settings.QUEUEING, "RELAY_DATABASES": []}
    assert id in queues("staged").out


def test_an_unknown_database_is_refused_with_the_known_ones(queues: Queues, mail: Any):
    with pytest.raises(CommandError, match="The databases are: default"):
        queues("send-staged", "--database", "other")
