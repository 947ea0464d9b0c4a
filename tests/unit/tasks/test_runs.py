"""How a task runs: its context, signals, log lines, retries, and what no body can make run."""

import gc
import json
import logging
import os

import pytest

from queueing.exceptions import ResultRefused, UnknownTask
from queueing.policies import policy
from queueing.tasks import registry
from queueing.tasks.compat import signals
from queueing.tasks.options import TaskOptions
from queueing.testing import run_pending

from .app import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sent_at_once(backend):
    backend(OPTIONS={"enqueue_on_commit": False})


@pytest.fixture
def heard():
    """The signals of the worker, in their order."""
    said = []

    def started(task_result, **_):
        said.append(("started", task_result.id, str(task_result.status), task_result.attempts))

    def finished(task_result, **_):
        said.append(("finished", task_result.id, str(task_result.status), len(task_result.errors)))

    signals.task_started.connect(started)
    signals.task_finished.connect(finished)
    yield said
    signals.task_started.disconnect(started)
    signals.task_finished.disconnect(finished)


def refreshed(result):
    result.refresh()
    return result


def test_sync_and_async_tasks_run_with_their_arguments(queues):
    results = [tasks.add.enqueue(1, b=2), tasks.add_async.enqueue(3, 4)]
    run_pending()
    assert [refreshed(result).return_value for result in results] == [3, 7]


def test_a_task_may_take_django_s_context(queues):
    result = tasks.tell.using(priority=5, queue_name="mails").enqueue("hello")
    run_pending("mails")
    assert refreshed(result).return_value == {
        "word": "hello", "id": result.id, "attempt": 1, "errors": 0, "priority": 5, "queue": "mails",
    }  # fmt: skip


def test_the_attempt_counts_on_until_it_succeeds(queues):
    result = tasks.succeed_at.enqueue(3)
    outcomes = run_pending(delayed=True)
    assert [outcome.event for outcome in outcomes] == ["retrying", "retrying", "done"]
    assert refreshed(result).return_value == 3


def test_a_back_off_is_asked_with_exception_and_result(queues, monkeypatch):
    asked = []

    def backoff(error, result):
        asked.append((type(error), result.id, result.attempts, [e.exception_class for e in result.errors]))
        return 12.5

    policy(max_attempts=3, backoff=backoff)(monkeypatch_policy(monkeypatch, tasks.fail))
    result = tasks.fail.enqueue("no")
    outcomes = run_pending(delayed=True)
    assert [outcome.delay_ms for outcome in outcomes] == [12_500, 12_500, 0]
    assert asked == [
        (ValueError, result.id, 1, [ValueError]),
        (ValueError, result.id, 2, [ValueError, ValueError]),
    ]


def monkeypatch_policy(monkeypatch, task):
    """The task, whose policy is put back after the test."""
    monkeypatch.setattr(task.func, "queueing_policy", task.func.queueing_policy)
    return task


def test_options_hold_where_no_policy_speaks(queues, backend):
    backend(OPTIONS={"enqueue_on_commit": False, "max_attempts": 2, "backoff": 7})
    queues.create_queue("default")
    queues.send_message("default", '{"django_task": 1, "task": "tests.unit.tasks.app.tasks.add", "args": []}')
    assert [(o.event, o.delay_ms) for o in run_pending(delayed=True)] == [("retrying", 7000), ("dead", 0)]
    # @policy speaks of attempts and back-off: 3 and 0.05 s.
    tasks.succeed_at.enqueue(9)
    assert [o.delay_ms for o in run_pending(delayed=True)] == [50, 50, 0]


def test_a_back_off_may_be_named_by_its_path(queues, backend):
    backend(OPTIONS={"enqueue_on_commit": False, "backoff": "tests.unit.tasks.app.tasks.patiently"})
    send(queues, '{"django_task": 1, "task": "tests.unit.tasks.app.tasks.add", "args": []}')
    assert [outcome.delay_ms for outcome in run_pending(delayed=True, limit=2)] == [41_000, 42_000]


def test_a_policy_beside_the_task_goes_before_the_options():
    options = TaskOptions(timeout=9, max_attempts=7)
    assert (options.policy_for(tasks.add.func).timeout, options.policy_for(tasks.dawdle.func).timeout) == (
        9,
        0.3,
    )
    assert options.policy_for(tasks.dawdle.func).max_attempts == 1


def test_signals_are_sent_as_django_does(queues, heard):
    good, bad = tasks.add.enqueue(1), tasks.fail.enqueue("no")
    run_pending(limit=2)
    assert heard == [
        ("started", good.id, "RUNNING", 1),
        ("finished", good.id, "SUCCESSFUL", 0),
        ("started", bad.id, "RUNNING", 1),
    ]
    # It has finished only when it is not tried again.
    run_pending(delayed=True)
    assert heard[3:] == [("started", bad.id, "RUNNING", 2), ("finished", bad.id, "FAILED", 2)]


def test_async_tasks_send_the_same_signals(queues, heard):
    good, bad = tasks.add_async.enqueue(1), tasks.fail_async.enqueue("no")
    run_pending()
    assert [(word, status) for word, id, status, _ in heard if id == good.id] == [
        ("started", "RUNNING"), ("finished", "SUCCESSFUL"),
    ]  # fmt: skip
    assert heard[-1] == ("finished", bad.id, "FAILED", 1)


def test_a_listener_that_fails_costs_the_task_nothing(queues):
    def broken(**_):
        raise RuntimeError("the listener")

    signals.task_started.connect(broken)
    signals.task_finished.connect(broken)
    result = tasks.add.enqueue(1)
    run_pending()
    assert refreshed(result).return_value == 2


def test_the_log_lines_of_django_follow(queues, caplog):
    caplog.set_level(logging.DEBUG, logger=signals.logger.name)
    bad = tasks.fail_async.enqueue("no")
    run_pending()
    lines = [r for r in caplog.records if r.name == signals.logger.name]
    assert [line.levelname for line in lines[-3:]] == ["DEBUG", "INFO", "ERROR"]
    assert bad.id in lines[-1].getMessage()
    assert "state=FAILED" in lines[-1].getMessage()
    assert lines[-1].exc_info[0] is ValueError


@pytest.mark.parametrize("task", [tasks.return_nonsense, tasks.return_nonsense_async])
@pytest.mark.parametrize("kind", tasks.NONSENSE)
def test_a_task_whose_value_json_cannot_hold_fails_once_with_the_reason(queues, heard, task, kind):
    result = task.enqueue(kind)
    outcomes = run_pending(delayed=True)
    assert [(outcome.event, outcome.attempts) for outcome in outcomes] == [("dead", 1)]
    assert outcomes[0].error.startswith("ResultRefused: The task has run, but ")
    assert refreshed(result).status == "FAILED"
    assert result.errors[0].exception_class is ResultRefused
    assert heard[-1] == ("finished", result.id, "FAILED", 1)


def test_a_task_whose_code_has_not_run_has_failed_with_the_reason(queues):
    result = tasks.generate.enqueue()
    run_pending()
    assert refreshed(result).status == "FAILED"
    assert "whose code has not run" in result.errors[0].traceback


@pytest.mark.parametrize("signal", [signals.task_started, signals.task_finished])
@pytest.mark.parametrize("task", [tasks.add, tasks.add_async])
def test_a_listener_that_exits_costs_the_task_nothing(queues, task, signal):
    def exits(**_):
        raise SystemExit

    signal.connect(exits)
    try:
        result = task.enqueue(1)
        assert [outcome.event for outcome in run_pending()] == ["done"]
    finally:
        signal.disconnect(exits)
    assert refreshed(result).return_value == 2


def send(queues, text):
    if "default" not in queues.list_queues():
        queues.create_queue("default")
    return queues.send_message("default", text)


APP = "tests.unit.tasks.app.tasks"


@pytest.mark.parametrize(
    "path", ["os.system", f"{APP}.gone", f"{APP}._note", f"{APP}.add.func", "subprocess.run", "x", ""]
)
def test_only_a_task_of_the_project_can_be_run_by_a_body(queues, path):
    send(queues, json.dumps({"django_task": 1, "task": path, "args": ["id"]}))
    [outcome] = run_pending()
    assert (outcome.event, type(outcome.exception)) == ("released", UnknownTask)
    assert path in outcome.error
    assert outcome.delay_ms == 30_000


def test_a_body_makes_nothing_be_imported(queues):
    import sys

    send(queues, '{"django_task": 1, "task": "tests.unit.tasks.never_imported.add", "args": []}')
    run_pending()
    assert "tests.unit.tasks.never_imported" not in sys.modules


def test_a_task_that_is_gone_is_tried_late_and_bounded_then_dead_with_the_reason(queues):
    send(queues, '{"django_task": 1, "task": "tests.unit.tasks.app.tasks.gone"}')
    outcomes = run_pending(delayed=True)
    assert [outcome.event for outcome in outcomes] == ["released"] * 10 + ["dead"]
    assert 1800 < sum(outcome.delay_ms for outcome in outcomes) / 1000 < 7200
    assert outcomes[-1].error == (
        "UnknownTask: This project has no task tests.unit.tasks.app.tasks.gone. A worker finds tasks in the "
        'tasks.py of the apps in INSTALLED_APPS, and in the modules of OPTIONS["modules"].'
    )


def test_waiting_for_an_unknown_task_costs_no_attempt(queues, backend, monkeypatch):
    result = tasks.fail.enqueue("no")
    with monkeypatch.context() as patch:
        # This release does not have it yet.
        patch.delattr(tasks, "fail")
        patch.setattr(registry, "_declared", {})
        for _ in range(3):
            [outcome] = run_pending(delayed=True, limit=1)
            assert (outcome.event, outcome.attempts, outcome.started_ms) == ("released", 0, None)
        assert run_pending() == [], "it waits"
    outcomes = run_pending(delayed=True)
    assert [(outcome.event, outcome.attempts) for outcome in outcomes] == [("retrying", 1), ("dead", 2)]
    assert refreshed(result).attempts == 2
    assert [error.exception_class for error in result.errors] == [ValueError, ValueError]


def test_a_body_of_a_newer_version_waits_for_a_newer_worker(queues):
    send(queues, '{"django_task": 2, "task": "tests.unit.tasks.app.tasks.add"}')
    [outcome] = run_pending()
    assert (outcome.event, outcome.delay_ms) == ("released", 30_000)
    assert "version 2" in outcome.error


@pytest.mark.parametrize(
    "body",
    [
        '{"django_task": 1',
        '{"django_task": "1"}',
        '{"django_task": 1, "task": 7}',
        '{"django_task": 1, "task": "a.b", "args": {}}',
        '{"django_task": ' + "[" * 100_000,
    ],
)
def test_a_body_that_is_not_a_task_is_dead_immediately(queues, body):
    send(queues, "x")
    queues.set_queue_attributes("default", maxsize=-1)
    queues.purge_queue("default")
    send(queues, body)
    [outcome] = run_pending()
    assert outcome.event == "dead"
    assert "BadTaskBody" in outcome.error


def test_a_program_in_another_language_may_leave_out_what_it_does_not_need(queues):
    send(
        queues,
        '{"django_task": 1, "task": "tests.unit.tasks.app.tasks.note", "extra": true, "priority": "x"}',
    )
    assert [outcome.event for outcome in run_pending()] == ["done"]


def test_a_task_runs_only_in_a_queue_of_its_backend(queues, backend):
    backend(QUEUES=["mails"])
    send(queues, '{"django_task": 1, "task": "tests.unit.tasks.app.tasks.add", "args": [1]}')
    [outcome] = run_pending("default", limit=1)
    assert outcome.error.startswith("NoHandler")


def test_run_pending_leaves_no_open_file(queues):
    run_pending()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run_pending()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
