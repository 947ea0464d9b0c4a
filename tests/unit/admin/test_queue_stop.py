"""Stopping messages that run: the one of a page, or those that were ticked."""

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.broker import outbox
from queueing.broker.leases import QueueLease, extend
from queueing.broker.outcomes import State
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.history import writer
from queueing.models import Job

WORK = "/admin/queueing/queue/work/"
STOP = f"{WORK}stop/"
CONFIG = Config(LEASE=60)


@pytest.fixture
def held(shared_client: QueueClient) -> str:
    """The id of the only message of the queue ``work``, which the child ``a`` holds."""
    shared_client.create_queue("work")
    id = shared_client.send_message("work", "x")
    lease = QueueLease(shared_client.session, CONFIG, "a", "work")
    [delivery] = lease.read_claim(shared_client.session.call(lease.claim(1, suspects="take"))).deliveries
    assert delivery.message.id == id
    return id


def confirmed(browser: Client, *ids: str, **more: str) -> str:
    """The messages of the page after the confirmation."""
    page = browser.post(STOP, {"ids": ids, "confirmed": 1, **more}, follow=True).content.decode()
    return html.unescape(" ".join(re.findall(r'<li class="(?:success|error)">(.*?)</li>', page)))


def asked(client: QueueClient) -> list[tuple[str, bool, str]]:
    stops = extend(client.session, CONFIG, {"work": ["a"]})["work"].stops
    return [(stop.id, stop.kills, stop.reason) for stop in stops]


def test_the_page_of_a_running_message_leads_to_it(boss: Client, shared_client: QueueClient, held: str):
    page = boss.get(f"{WORK}messages/{held}/").content.decode()
    assert f'href="{STOP}?ids={held}"' in page
    question = boss.get(f"{STOP}?ids={held}").content.decode()
    assert "<p>Stop 1 message of work?</p>" in question
    assert 'name="force"' in question
    assert asked(shared_client) == []
    assert confirmed(boss, held) == "Asked to stop 1 message of work."
    assert asked(shared_client) == [(held, False, "stopped by boss")]
    assert LogEntry.objects.get().get_change_message() == "Asked to stop 1 message of work."


def test_by_force(boss: Client, shared_client: QueueClient, held: str):
    confirmed(boss, held, force="on")
    assert asked(shared_client) == [(held, True, "stopped by boss")]


def test_waiting_jobs_are_cancelled_and_the_others_reported(
    boss: Client, shared_client: QueueClient, held: str
):
    waiting = shared_client.send_message("work", "y")
    assert f'formaction="{STOP}"' in boss.get(f"{WORK}messages/").content.decode()
    assert confirmed(boss, held, waiting, "0" * 32) == (
        "Asked to stop 2 messages of work. 1 skipped: the message is not in its queue."
    )
    assert [message.id for message in shared_client.peek_messages("work")] == [held]
    assert confirmed(boss, "0" * 32) == "Nothing was stopped. 1 skipped: the message is not in its queue."


def test_without_a_tick_one_is_sent_back_to_tick(boss: Client, held: str):
    answer = boss.post(STOP, {"confirmed": 1}, follow=True)
    assert answer.redirect_chain == [(f"{WORK}messages/", 302)]
    assert "Select the messages to stop first." in answer.content.decode()


def test_the_page_of_a_job_that_runs_leads_to_it(boss: Client, shared_client: QueueClient, held: str):
    lease = QueueLease(shared_client.session, CONFIG, "b", "work")
    shared_client.change_message_visibility("work", held, 0)
    [again] = lease.read_claim(shared_client.session.call(lease.claim(1, suspects="take"))).deliveries
    failed = again.ended(State.RETRYING, "b", finished_ms=1.7e12, attempts=1)
    shared_client.session.call(lease.settle([failed]))
    shared_client.session.call(lease.claim(1, suspects="take"))
    writer.write(outbox.newest(shared_client.session, count=10))
    page = boss.get(f"/admin/queueing/job/{Job.objects.get().pk}/change/").content.decode()
    assert f'href="{STOP}?ids={held}"' in page
