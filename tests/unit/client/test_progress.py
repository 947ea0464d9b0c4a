"""Notes of how far a run is."""

import pytest

from queueing.broker.leases import QueueLease, abandon
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.messages import Progress


@pytest.fixture
def lease(client: QueueClient) -> QueueLease:
    client.create_queue("q")
    return QueueLease(client.session, Config(), "w.0", "q")


def claimed(client: QueueClient, lease: QueueLease) -> str:
    id = client.send_message("q", "long")
    [reply] = lease.session.call_each([lease.claim(1, suspects="take")])
    [delivery] = lease.read_claim(reply).deliveries
    assert delivery.message.id == id
    return id


def test_the_last_report_is_shown_until_the_message_is_settled(client: QueueClient, lease: QueueLease):
    id = claimed(client, lease)
    assert client.progress_of("q", [id, "x" * 32]) == {}
    assert client.report_progress("q", id, 1, 0.25, "a quarter")
    assert client.report_progress("q", id, 1, 0.5, "half é\x00")
    assert client.progress_of("q", [id]) == {id: Progress(0.5, "half é\x00")}
    client.session.call_each([lease.settle([Outcome("q", id, 1, State.DONE, "w.0")])])
    assert client.progress_of("q", [id]) == {}
    assert not client.redis.exists("rsmq:q:progress")


def test_a_delivery_that_is_over_reports_nothing_any_more(client: QueueClient, lease: QueueLease):
    id = claimed(client, lease)
    client.report_progress("q", id, 1, 0.9, "")
    client.change_message_visibility("q", id, 0)
    assert client.receive_message("q").rc == 2
    assert client.progress_of("q", [id]) == {}, "what the earlier delivery told"
    assert not client.report_progress("q", id, 1, 1.0, "too late")


def test_the_report_of_a_run_that_has_died_is_forgotten(client: QueueClient, lease: QueueLease):
    id = claimed(client, lease)
    other = claimed(client, QueueLease(client.session, Config(), "w.1", "q"))
    for one in id, other:
        client.report_progress("q", one, 1, 0.5, "half")
    abandon(client.session, Config(), "q", "w.0", started=[id], reason="it was killed")
    assert client.redis.hkeys("rsmq:q:progress") == [other.encode()]
