"""Receiving many, and ending or postponing what was received, by id or by receipt."""

import pytest

from queueing.client import QueueClient
from queueing.exceptions import QueueError, QueueNotFound


@pytest.fixture
def queue(any_client: QueueClient) -> QueueClient:
    any_client.create_queue("q")
    return any_client


@pytest.fixture
def moved_on(queue):
    """A delivery whose message another receiver has by now."""
    queue.send_message("q", "text")
    old = queue.receive_message("q", vt=0)
    assert queue.receive_message("q", vt=60).rc == 2
    return old


def test_many_are_received_in_order_and_counted(queue):
    ids = queue.send_messages("q", [str(number) for number in range(1500)])
    received = queue.receive_messages("q", 1200)
    assert [message.id for message in received] == ids[:1200]
    assert {message.rc for message in received} == {1}
    assert queue.get_queue_attributes("q").totalrecv == 1200
    assert len(queue.receive_messages("q", 1200)) == 300
    assert queue.receive_messages("q", 1200) == []


def test_a_receive_of_many_stops_at_a_megabyte_per_step_and_continues(queue):
    queue.set_queue_attributes("q", maxsize=-1)
    queue.send_messages("q", ["x" * 700_000] * 3)
    assert len(queue.receive_messages("q", 2)) == 2


def test_many_are_deleted_with_a_result_each(queue):
    first, second = queue.send_messages("q", ["a", "b"])
    assert queue.delete_messages("q", [first, "0" * 32, second]) == [1, 0, 1]
    assert queue.delete_messages("nowhere", [first]) == [0]


def test_many_are_deleted_by_receipt(queue):
    queue.send_messages("q", ["a", "b"])
    one, two = queue.receive_messages("q", vt=0)
    queue.receive_message("q", vt=60)  # takes the first of them over
    assert queue.delete_messages("q", [one, two]) == [0, 1]
    assert queue.get_queue_attributes("q").msgs == 1


def test_more_than_a_step_holds_is_deleted(queue):
    ids = queue.send_messages("q", ["x"] * 2300)
    assert queue.delete_messages("q", ids) == [1] * 2300


def test_many_are_postponed(queue):
    ids = queue.send_messages("q", ["a", "b"])
    assert queue.change_visibilities("q", [*ids, "0" * 32], 60) == [1, 1, 0]
    assert queue.get_queue_attributes("q").hiddenmsgs == 2
    with pytest.raises(QueueNotFound):
        queue.change_visibilities("nowhere", ids, 60)


def test_a_receipt_that_moved_on_deletes_nothing(queue, moved_on):
    assert queue.delete_message("q", moved_on.id, rc=moved_on.rc) == 0
    assert queue.get_queue_attributes("q").msgs == 1
    assert queue.delete_message("q", moved_on.id) == 1  # by id it is RSMQ's


def test_a_receipt_that_moved_on_extends_and_releases_nothing(queue, moved_on):
    before = queue.peek_message("q", moved_on.id).due_ms
    assert queue.change_message_visibility("q", moved_on.id, 0, rc=moved_on.rc) == 0
    assert queue.release_message("q", moved_on) == 0
    assert queue.peek_message("q", moved_on.id).due_ms == before


def test_a_receipt_that_fits_extends(queue):
    queue.send_message("q", "text")
    message = queue.receive_message("q", vt=10)
    assert queue.change_message_visibility("q", message.id, 1000, rc=message.rc) == 1
    assert queue.peek_message("q", message.id).due_ms - message.fr > 900_000


def test_a_released_message_is_next_and_was_not_received(queue):
    first, _ = queue.send_messages("q", ["a", "b"])
    queue.set_redrive_policy("q", 1)
    message = queue.receive_message("q", vt=60)
    assert queue.release_message("q", message) == 1
    again = queue.receive_message("q")
    assert (again.id, again.rc) == (first, 2)


@pytest.mark.parametrize(("name", "value"), [("count", 0), ("wait_seconds", -1)])
def test_invalid_values_are_refused(queue, name, value):
    with pytest.raises(QueueError, match=name):
        queue.receive_messages("q", **{name: value})
