"""Which queue is looked at next, and when."""

import pytest

from queueing.broker.subscription import POLL_SECONDS
from queueing.worker import polling as looking
from queueing.worker.polling import Lookout
from tests.support.clock import Clock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().rules(monkeypatch, looking)


@pytest.fixture
def lookout(clock: Clock) -> Lookout:
    return Lookout(["first", "second", "third"])


def end_round(lookout: Lookout, due: dict[str, float] | None = None) -> None:
    while not lookout.is_idle:
        lookout.has_no_more(lookout.queue, (due or {}).get(lookout.queue))


def test_a_round_goes_down_the_queues_and_ends_idle(lookout):
    seen = []
    while not lookout.is_idle:
        seen.append(lookout.queue)
        lookout.has_no_more(lookout.queue)
    assert seen == ["first", "second", "third"]
    assert lookout.queue == "first"
    assert lookout.idle_seconds == POLL_SECONDS < 5


def test_it_is_idle_until_the_next_message_of_any_queue_is_due(lookout):
    end_round(lookout, {"second": 1.0, "third": 2.0})
    assert lookout.idle_seconds == 1.0
    lookout.begin_if_due()
    assert lookout.is_idle


def test_what_is_due_begins_a_round(lookout):
    end_round(lookout, {"third": 0.0})
    lookout.begin_if_due()
    assert not lookout.is_idle
    assert lookout.queue == "first"


def test_a_retry_is_waited_for_though_its_queue_was_not_looked_at(lookout):
    end_round(lookout)
    lookout.comes_due("second", 0.5)
    assert lookout.idle_seconds == 0.5
    lookout.has_no_more("first")
    assert not lookout.is_idle  # one look at all of them, as the first has been looked at anyway
    end_round(lookout, {"second": 0.3})
    assert lookout.idle_seconds == pytest.approx(0.3)


def test_a_broken_queue_is_passed_over(lookout):
    lookout.breaks("first")
    lookout.begin_if_due()
    assert lookout.queue == "second"
    lookout.breaks("second")
    lookout.breaks("third")
    lookout.begin_if_due()
    assert lookout.is_idle


def test_an_answer_of_the_round_before_does_not_end_this_one(lookout):
    lookout.has_no_more("first")
    lookout.begin()
    lookout.has_no_more("second")
    assert lookout.queue == "first"
    assert not lookout.is_idle
