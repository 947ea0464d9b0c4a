"""The tasks that this site shows."""

import re
from collections import Counter
from textwrap import dedent
from typing import Any

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


def test_stumbling_fails_so_often_and_then_succeeds(queues):
    result = tasks.stumble.enqueue(2)
    assert [outcome.event for outcome in run_pending(delayed=True)] == ["retrying", "retrying", "done"]
    assert tasks.stumble.get_result(result.id).return_value == "done with attempt 3"


def test_the_code_in_the_docstring_runs_unchanged(queues, monkeypatch):
    monkeypatch.setattr(tasks.time, "sleep", lambda seconds: None)
    first, then = re.findall(r"::\n\n((?:    .*\n)+)", tasks.__doc__)
    names: dict[str, Any] = {}
    exec(dedent(first), names)
    assert str(names["later"].status) == "READY"
    ran = Counter((outcome.handler, outcome.event) for outcome in run_pending("default", delayed=True))
    assert ran == {
        ("jobs.tasks.count", "done"): 1,
        ("jobs.tasks.stumble", "retrying"): 2,
        ("jobs.tasks.stumble", "done"): 1,
        ("jobs.tasks.remind", "done"): 1,
        ("jobs.tasks.tidy", "done"): 1,
    }
    exec(dedent(then), names)
    assert (str(names["failing"].status), names["failing"].attempts) == ("SUCCESSFUL", 3)


def test_the_periodic_one_is_a_schedule_of_the_site(queues):
    [schedule] = [one for one in periodic.schedules() if one.name == "jobs.tasks.tidy"]
    assert schedule.target.queue == "default"
    queues.create_queue("default")
    queues.send_messages("default", [schedule.draft(0)])
    assert [outcome.handler for outcome in run_pending("default")] == ["jobs.tasks.tidy"]
