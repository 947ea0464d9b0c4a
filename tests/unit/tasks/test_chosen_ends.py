"""A task chooses the end of its run: its outcome in the queue, its result, and Django's signal."""

import pytest

from queueing.tasks.compat import signals
from queueing.testing import run_pending

from .app import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sent_immediately(backend):
    backend(OPTIONS={"enqueue_on_commit": False})


@pytest.fixture
def finished():
    """The states of the results with which Django's signal was sent."""
    heard = []

    def note(task_result, **_):
        heard.append(str(task_result.status))

    signals.task_finished.connect(note)
    yield heard
    signals.task_finished.disconnect(note)


@pytest.fixture(params=[tasks.choose, tasks.choose_async], ids=["sync", "async"])
def chooser(request):
    return request.param


def test_a_task_that_gives_up_has_failed(queues, chooser, finished):
    result = chooser.enqueue("give up")
    assert [(o.event, o.attempts) for o in run_pending()] == [("dead", 1)]
    result.refresh()
    assert (str(result.status), result.attempts, finished) == ("FAILED", 1, ["FAILED"])
    assert "GiveUp: as it was told" in result.errors[0].traceback
    assert queues.figures_of_queue("default").dead == 1


def test_a_task_that_retries_at_a_time_of_its_own_waits_for_it(queues, chooser, finished):
    result = chooser.enqueue("retry")
    assert [(o.event, o.delay_ms) for o in run_pending()] == [("retrying", 90_000)]
    assert run_pending() == []
    assert [o.event for o in run_pending(delayed=True)] == ["dead"]
    result.refresh()
    assert (str(result.status), result.attempts, finished) == ("FAILED", 2, ["FAILED"])


def test_a_task_that_snoozes_is_ready_without_an_attempt(queues, chooser, finished):
    result = chooser.enqueue("snooze")
    for _ in range(12):
        assert [(o.event, o.attempts) for o in run_pending(delayed=True, limit=1)] == [("released", 0)]
    result.refresh()
    assert (str(result.status), result.attempts, result.errors, finished) == ("READY", 0, [], [])
    assert queues.peek_message("default", result.id).state == "delayed"


def test_a_task_is_retried_on_the_classes_of_its_policy_alone(queues):
    told = [tasks.raise_one.enqueue("ConnectionResetError"), tasks.raise_one.enqueue("LookupError")]
    assert [o.event for o in run_pending()] == ["retrying", "dead"]
    for result in told:
        result.refresh()
    assert [str(result.status) for result in told] == ["READY", "FAILED"]
