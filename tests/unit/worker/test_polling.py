"""Which queue is looked at next, and when."""

import pytest

from queueing.broker.pubsub import POLL_SECONDS
from queueing.worker.polling import QueueRotation
from tests.support.clock import Clock


@pytest.fixture
def rotation() -> QueueRotation:
    return QueueRotation(["first", "second", "third"], Clock().monotonic)


def end_round(rotation: QueueRotation, due: dict[str, float] | None = None) -> None:
    while not rotation.is_idle:
        rotation.has_no_more(rotation.queue, (due or {}).get(rotation.queue))


def test_a_round_goes_down_the_queues_and_ends_idle(rotation):
    seen = []
    while not rotation.is_idle:
        seen.append(rotation.queue)
        rotation.has_no_more(rotation.queue)
    assert seen == ["first", "second", "third"]
    assert rotation.queue == "first"
    assert rotation.idle_seconds == POLL_SECONDS < 5


def test_it_is_idle_until_the_next_message_of_any_queue_is_due(rotation):
    end_round(rotation, {"second": 1.0, "third": 2.0})
    assert rotation.idle_seconds == 1.0
    rotation.begin_if_due()
    assert rotation.is_idle


def test_what_is_due_begins_a_round(rotation):
    end_round(rotation, {"third": 0.0})
    rotation.begin_if_due()
    assert not rotation.is_idle
    assert rotation.queue == "first"


def test_a_retry_is_waited_for_though_its_queue_was_not_looked_at(rotation):
    end_round(rotation)
    rotation.comes_due("second", 0.5)
    assert rotation.idle_seconds == 0.5
    rotation.has_no_more("first")
    assert not rotation.is_idle  # one look at all of them, as the first has been looked at anyway
    end_round(rotation, {"second": 0.3})
    assert rotation.idle_seconds == pytest.approx(0.3)


def test_a_broken_queue_is_passed_over(rotation):
    rotation.breaks("first")
    rotation.begin_if_due()
    assert rotation.queue == "second"
    rotation.breaks("second")
    rotation.breaks("third")
    rotation.begin_if_due()
    assert rotation.is_idle


def test_an_answer_of_the_round_before_does_not_end_this_one(rotation):
    rotation.has_no_more("first")
    rotation.begin()
    rotation.has_no_more("second")
    assert rotation.queue == "first"
    assert not rotation.is_idle
