"""Cancelling messages that have never run: the one of a page, or those that were ticked."""

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.broker import outbox
from queueing.broker.leases import QueueLease
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.history import writer
from queueing.models import Job

WORK = "/admin/queueing/queue/work/"
CANCEL = f"{WORK}cancel/"


@pytest.fixture
def queue(shared_client: QueueClient) -> QueueClient:
    shared_client.create_queue("work")
    return shared_client


def confirmed(browser: Client, *ids: str) -> str:
    """The messages after the confirmation."""
    page = browser.post(CANCEL, {"ids": ids, "confirmed": 1}, follow=True).content.decode()
    return html.unescape(" ".join(re.findall(r'<li class="(?:success|error)">(.*?)</li>', page)))


def waiting(queue: QueueClient) -> list[str]:
    return [message.id for message in queue.peek_messages("work", count=1000)]


def test_the_page_of_a_message_leads_to_it(boss: Client, queue: QueueClient):
    id = queue.send_message("work", "x", delay=60)
    page = boss.get(f"{WORK}messages/{id}/").content.decode()
    assert f'href="{CANCEL}?ids={id}"' in page
    asked = boss.get(f"{CANCEL}?ids={id}").content.decode()
    assert "<p>Cancel 1 message of work?</p>" in asked
    assert f'name="ids" value="{id}"' in asked
    assert waiting(queue) == [id]
    assert confirmed(boss, id) == "Cancelled 1 message of work."
    assert waiting(queue) == []


def test_ticked_ones_are_asked_about_with_their_number(boss: Client, queue: QueueClient):
    ids = queue.send_messages("work", ["a", "b", "c"])
    assert f'formaction="{CANCEL}"' in boss.get(f"{WORK}messages/").content.decode()
    asked = boss.post(CANCEL, {"ids": ids[:2]}).content.decode()
    assert "<p>Cancel 2 messages of work?</p>" in asked
    assert waiting(queue) == ids
    assert confirmed(boss, *ids[:2], ids[0]) == "Cancelled 2 messages of work."
    assert waiting(queue) == ids[2:]


def test_the_history_and_the_log_name_the_user(boss: Client, queue: QueueClient):
    id = queue.send_message("work", "x")
    confirmed(boss, id)
    writer.write(outbox.newest(queue.session, count=10))
    job = Job.objects.get()
    assert (job.message_id, job.state, job.error) == (id, "cancelled", "cancelled by boss")
    assert LogEntry.objects.get().get_change_message() == "Cancelled 1 message of work."


def test_a_received_message_is_left_alone_and_reported(boss: Client, queue: QueueClient):
    held, hidden, free = queue.send_messages("work", ["a", "b", "c"])
    queue.session.call_each(
        [QueueLease(queue.session, Config(LEASE=60), "a", "work").claim(1, suspects="take")]
    )
    queue.receive_message("work")
    assert f"{CANCEL}?ids=" not in boss.get(f"{WORK}messages/{held}/").content.decode()
    assert confirmed(boss, held) == "Nothing was cancelled. 1 skipped: a worker holds the message."
    assert not LogEntry.objects.exists()
    assert confirmed(boss, held, hidden, free, "0" * 32) == (
        "Cancelled 1 message of work. 1 skipped: a worker holds the message. "
        "1 skipped: another receiver holds the message. 1 skipped: the message is not in its queue."
    )
    assert set(waiting(queue)) == {held, hidden}


@pytest.mark.parametrize("form", [{}, {"confirmed": 1}])
def test_without_a_tick_one_is_sent_back_to_tick(boss: Client, queue: QueueClient, form: dict):
    answer = boss.post(CANCEL, form, follow=True)
    assert answer.redirect_chain == [(f"{WORK}messages/", 302)]
    assert "Select the messages to cancel first." in answer.content.decode()


def test_an_id_that_is_none_cancels_nothing(boss: Client, queue: QueueClient):
    id = queue.send_message("work", "x")
    page = boss.post(CANCEL, {"ids": [id, "<script>"], "confirmed": 1}).content.decode()
    assert "The id of a selected message is not valid in RSMQ." in page
    assert waiting(queue) == [id]
