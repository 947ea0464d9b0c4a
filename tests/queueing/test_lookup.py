"""A message is found wherever it is: in the queue, in the outbox, in the history."""

import pytest

from queueing import history, lookup, outbox

from .conftest import ended

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
    entries = outbox.read(any_client, "r", count=10)
    history.write([outcome for entry in entries for outcome in entry.outcomes])
    assert seen() == "done"
    outbox.drop(any_client, entries)
    assert seen() == "done"


def test_a_retried_message_is_told_by_where_it_is_now(any_client, hand):
    id = any_client.send_message("work", "text")
    child = hand()
    child.settle(ended(child.claim().deliveries[0], "retrying", delay_ms=60_000))
    assert lookup.state_of("work", id, client=any_client).state == "retrying"


def test_the_newest_come_first_and_no_more_than_asked(any_client, hand):
    ids = any_client.send_messages("work", [str(number) for number in range(30)])
    assert [state.id for state in lookup.recent("work", limit=5, client=any_client)] == ids[:-6:-1]


def test_an_unknown_message_is_nowhere(any_client, hand):
    assert lookup.state_of("work", "0" * 32, client=any_client) is None
    assert lookup.recent("nowhere", client=any_client) == []
