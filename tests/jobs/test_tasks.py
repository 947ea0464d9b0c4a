"""The tasks that this site shows."""

import random

import pytest

from jobs import tasks
from queueing import periodic
from queueing.testing import fake_queues, run_pending


@pytest.fixture(autouse=True)
def queues():
    with fake_queues() as client:
        yield client


def test_counting_shows_how_far_it_is(queues):
    result = tasks.count.enqueue(3, pause_seconds=0)
    assert [outcome.event for outcome in run_pending("default")] == ["done"]
    assert tasks.count.get_result(result.id).return_value == 3


def test_rolling_fails_until_it_is_the_number(queues, monkeypatch):
    thrown = iter([1, 2, 6])
    monkeypatch.setattr(random, "randint", lambda low, high: next(thrown))
    result = tasks.roll.enqueue(6)
    assert [outcome.event for outcome in run_pending(delayed=True)] == ["retrying", "retrying", "done"]
    assert tasks.roll.get_result(result.id).return_value == "a 6 with throw 3"


def test_the_periodic_one_is_a_schedule_of_the_site(queues):
    [schedule] = [one for one in periodic.schedules() if one.name == "jobs.tasks.tidy"]
    assert schedule.target.queue == "default"
    queues.create_queue("default")
    queues.send_messages("default", [schedule.draft(0)])
    assert [outcome.handler for outcome in run_pending("default")] == ["jobs.tasks.tidy"]
