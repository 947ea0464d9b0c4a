"""The attempt of a message whose process was killed at its time limit, as the keeper settles it."""

import threading

import pytest

from queueing import handlers
from queueing.handlers import handler, policy
from queueing.worker import reaper
from queueing.worker.shared_memory import Running


@pytest.fixture
def late(hand, any_client, conf, monkeypatch):
    """``late(backoff)``: the outcome of a message that ran past its limit, with that back-off. With a
    ``reason``, somebody has asked to stop it.
    """
    monkeypatch.setattr(handlers, "_handlers", {})

    def settle(backoff, reason=""):
        @policy(backoff=backoff, max_attempts=2)
        def work(message): ...

        handler("work")(work)
        any_client.send_message("work", "x")
        [delivery] = hand().claim().deliveries
        if reason:
            any_client.stop_message("work", delivery.message.id, reason=reason)
        running = Running(delivery.message.id, 0, delivery.message.rc, 0, 0, 1.0, 2.0, 5.0)
        [outcome] = reaper.settle_overdue(any_client, conf, "a", "work", [running], now_ms=10.0)
        return outcome

    return settle


@pytest.mark.parametrize("backoff", [7, lambda error, attempt: 7])
def test_its_own_back_off_holds(late, backoff):
    outcome = late(backoff)
    assert (outcome.event, outcome.delay_ms, outcome.traceback) == ("retrying", 7000, "")
    assert "time limit of 5 s" in outcome.error


def test_a_job_that_somebody_asked_to_stop_is_cancelled_at_its_time_limit(late, any_client):
    assert late(0, reason="the wrong file").event == "cancelled"
    assert any_client.peek_messages("work") == []


def test_a_message_that_its_child_ran_twice_fails_once(any_client, hand, conf):
    id = any_client.send_message("work", "x")
    child = hand()
    child.claim()
    any_client.change_message_visibility("work", id, 0)
    child.claim()
    overdue = [Running(id, 0, rc, 0, 0, 1.0, 2.0, 5.0) for rc in (2, 1)]
    [outcome] = reaper.settle_overdue(any_client, conf, "a", "work", overdue, now_ms=10.0)
    assert (outcome.rc, outcome.event) == (2, "retrying")


def test_a_back_off_function_that_exits_ends_no_keeper(late):
    def exits(error, attempt):
        raise SystemExit(3)

    outcome = late(exits)
    assert outcome.event == "retrying"
    assert "The default back-off holds" in outcome.traceback


def test_a_back_off_function_that_hangs_does_not_hold_up_the_keeper(late, monkeypatch):
    monkeypatch.setattr(reaper, "BACK_OFF_SECONDS", 0.02)
    may_end = threading.Event()
    outcome = late(lambda error, attempt: may_end.wait(60))
    may_end.set()
    assert outcome.event == "retrying"
    assert "did not return within 0.02 s" in outcome.traceback
