"""A message is found wherever it is: in the queue, in the outbox, in the history."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queueing.broker import outbox
from queueing.history import lookup, writer
from queueing.models import Job
from tests.unit.conftest import ended

pytestmark = pytest.mark.django_db


def test_a_message_is_followed_through_its_life(any_client, hand):
    id = any_client.send_message("work", "text")
    child = hand()

    def seen():
        [state] = lookup.recent("work", client=any_client)
        assert state == lookup.state_of("work", id, client=any_client)
        assert (state.id, state.body) == (id, "text")
        return state.state

    assert seen() == "ready"
    [delivery] = child.claim().deliveries
    assert seen() == "running"
    child.settle(ended(delivery, "done", started_ms=1.0, attempts=1))
    assert seen() == "done"
    entries = outbox.read(any_client.session, "r", count=10)
    writer.write([outcome for entry in entries for outcome in entry.outcomes])
    assert seen() == "done"
    outbox.drop(any_client.session, entries)
    assert seen() == "done"


def test_a_retried_message_is_found_by_its_present_place(any_client, hand):
    id = any_client.send_message("work", "text")
    child = hand()
    failed = {"attempts": 1, "error": "ValueError: no", "handler": "shop.say"}
    child.settle(ended(child.claim().deliveries[0], "retrying", delay_ms=60_000, **failed))
    [state] = lookup.recent("work", client=any_client)
    assert state == lookup.state_of("work", id, client=any_client)
    assert (state.state, state.attempts, state.error, state.handler) == (
        "retrying", 1, "ValueError: no", "shop.say",
    )  # fmt: skip
    assert 50_000 < state.due_ms - state.sent_ms < 70_000


def test_a_running_message_has_its_progress(any_client, hand):
    id = any_client.send_message("work", "text")
    [delivery] = hand().claim().deliveries
    assert lookup.state_of("work", id, client=any_client).progress is None
    any_client.report_progress("work", id, delivery.message.rc, 0.25, "page 1 of 4")
    [state] = lookup.recent("work", client=any_client)
    assert state == lookup.state_of("work", id, client=any_client)
    assert (state.state, state.progress, state.note, state.due_ms) == ("running", 0.25, "page 1 of 4", None)


def test_a_running_or_done_message_comes_before_a_ready_one(any_client, hand):
    done, running, *ready = any_client.send_messages("work", [str(number) for number in range(32)])
    child = hand()
    [delivery, _] = child.claim(2).deliveries
    child.settle(ended(delivery, "done", attempts=1))
    found = [state.id for state in lookup.recent("work", limit=10, client=any_client)]
    assert found[-2:] == [running, done]
    assert found[:-2] == ready[:-9:-1]


def test_messages_of_several_queues_are_one_list(any_client, hand):
    any_client.create_queue("other")
    sent = [any_client.send_message(queue, "text") for queue in ("work", "other", "work")]
    found = lookup.recent("work", "other", "nowhere", client=any_client)
    assert [(state.id, state.queue) for state in found] == list(
        zip(sent[::-1], ("work", "other", "work"), strict=True)
    )


def test_the_newest_come_first_and_no_more_than_asked(any_client, hand):
    ids = any_client.send_messages("work", [str(number) for number in range(30)])
    assert [state.id for state in lookup.recent("work", limit=5, client=any_client)] == ids[:-6:-1]


def test_an_unknown_message_is_nowhere(any_client, hand):
    assert lookup.state_of("work", "0" * 32, client=any_client) is None
    assert lookup.recent("nowhere", client=any_client) == []


@pytest.mark.parametrize("length", [16_384, 16_385])
def test_only_the_beginning_of_a_long_text_in_the_history_is_read(any_client, hand, length):
    id = any_client.send_message("work", "a")
    child = hand()
    [delivery] = child.claim().deliveries
    child.settle(ended(delivery, "done", started_ms=1.0))
    entries = outbox.read(any_client.session, "r", count=10)
    writer.write([outcome for entry in entries for outcome in entry.outcomes])
    outbox.drop(any_client.session, entries)
    Job.objects.update(body="x" * length, error="e" * 5000, result="r" * 5000)
    with CaptureQueriesContext(connection) as queries:
        [state] = lookup.recent("work", client=any_client)
        assert state == lookup.state_of("work", id, client=any_client)
    assert (len(state.body), len(state.error)) == (16_384, 1000)
    assert not any("result" in query["sql"] for query in queries)
