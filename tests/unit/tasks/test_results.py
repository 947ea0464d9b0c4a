"""The result of a task is right at every moment of its life, wherever its message is."""

import secrets
import sys
from datetime import timedelta
from time import monotonic

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from queueing import get_client
from queueing.broker import leases, task_body
from queueing.broker.keys import Keys
from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import TASK_CHARACTERS, Outcome, State, pack
from queueing.conf import Config
from queueing.exceptions import TaskCancelled, TaskCrashed
from queueing.tasks.compat import TaskResultDoesNotExist, task_backends
from queueing.testing import run_pending
from queueing.worker.recorder import Recorder

from .app import tasks

KEYS = Keys("rsmq")
pytestmark = pytest.mark.django_db


#: These tests run in a transaction that is never committed.
AT_ONCE = {"enqueue_on_commit": False}


@pytest.fixture(autouse=True)
def _sent_at_once(backend):
    backend(OPTIONS=AT_ONCE)


def record(conf=None):
    """Bring what is in the outbox into the database."""
    recorder = Recorder(get_client(), conf or Config(), name="recorder")
    while recorder.step(monotonic()) == 0.0:
        pass


@pytest.fixture
def lease(queues):
    return QueueLease(queues.session, Config(LEASE=60), "child", "default")


def claim(lease):
    [delivery] = lease.read_claim(lease.session.call_each([lease.claim(1, suspects="take")])[0]).deliveries
    return delivery


def settle(lease, delivery, event, **more):
    from queueing.broker.outcomes import Outcome

    message = delivery.message
    outcome = Outcome(
        "default",
        message.id,
        message.rc,
        State(event),
        lease.child,
        "x",
        body=message.body,
        finished_ms=2e12,
        **more,
    )
    lease.session.call_each([lease.settle([outcome])])


def refreshed(result):
    result.refresh()
    return result


@pytest.mark.parametrize("recorded", [False, True])
def test_a_successful_task_has_its_value(queues, recorded):
    result = tasks.add.enqueue(1, b=2)
    before = timezone.now()
    run_pending()
    if recorded:
        record()
        assert queues.redis.xlen(KEYS.outbox()) == 0
    result = refreshed(result)
    assert (result.status, result.return_value, result.is_finished) == ("SUCCESSFUL", 3, True)
    assert (result.attempts, result.worker_ids, result.errors) == (1, ["test"], [])
    assert before <= result.started_at == result.last_attempted_at <= result.finished_at <= timezone.now()
    assert (result.args, result.kwargs) == ([1], {"b": 2})


def test_a_task_that_returned_nothing_has_none_as_its_value(queues):
    result = tasks.note.enqueue(None)
    run_pending()
    assert refreshed(result).return_value is None


def test_a_claimed_task_is_running(queues, lease):
    result = tasks.add.enqueue(1)
    delivery = claim(lease)
    result = refreshed(result)
    assert (result.status, result.worker_ids, result.finished_at) == ("RUNNING", ["child"], None)
    assert result.started_at.timestamp() * 1000 == pytest.approx(delivery.message.fr, abs=1)
    assert result.last_attempted_at == result.started_at


@pytest.mark.parametrize("recorded", [False, True])
def test_a_retried_task_has_its_errors_so_far(queues, lease, recorded):
    result = tasks.succeed_at.enqueue(3)
    run_pending(limit=1)
    if recorded:
        record()
    result = refreshed(result)
    assert (result.status, result.attempts, len(result.errors)) == ("READY", 1, 1)
    assert result.errors[0].exception_class is LookupError
    assert result.errors[0].traceback.endswith("LookupError: not at attempt 1\n")
    assert (result.finished_at, result.started_at) == (None, result.last_attempted_at)
    # The first is in the database, the second in the outbox, the third under way.
    run_pending(delayed=True, limit=1)
    queues.change_message_visibility("default", result.id, 0)
    claim(lease)
    first = result.started_at
    result = refreshed(result)
    assert (result.status, result.worker_ids, len(result.errors)) == ("RUNNING", ["test", "test", "child"], 2)
    assert result.started_at == first < result.last_attempted_at


@pytest.mark.parametrize("recorded", [False, True])
def test_a_task_that_failed_for_the_last_time_has_failed(queues, recorded):
    result = tasks.fail.enqueue("no")
    run_pending(delayed=True)
    if recorded:
        record()
    result = refreshed(result)
    assert (result.status, result.attempts, result.is_finished) == ("FAILED", 2, True)
    assert [error.exception_class for error in result.errors] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value
    assert result.finished_at >= result.last_attempted_at > result.started_at


def test_a_redriven_task_is_ready_again_and_may_succeed(queues, lease):
    result = tasks.fail.enqueue("no")
    run_pending(delayed=True)
    queues.redrive("default")
    result = refreshed(result)
    assert (result.status, result.attempts, len(result.errors)) == ("READY", 2, 2)
    settle(lease, claim(lease), "done", result="7", started_ms=1e12)
    assert refreshed(result).return_value == 7


@pytest.mark.parametrize("recorded", [False, True])
def test_a_crash_is_an_attempt_with_an_error(queues, lease, recorded):
    result = tasks.add.enqueue(1)
    delivery = claim(lease)
    leases.abandon(queues.session, Config(), "default", "child", started=[result.id], reason="it was killed")
    if recorded:
        record()
    result = refreshed(result)
    assert (result.status, result.worker_ids) == ("READY", ["child"])
    [error] = result.errors
    assert (error.exception_class, error.traceback) == (TaskCrashed, "it was killed")
    assert result.started_at.timestamp() * 1000 == pytest.approx(delivery.message.fr, abs=1)


def test_a_task_that_was_given_back_has_not_been_attempted(queues, lease):
    result = tasks.add.enqueue(1)
    settle(lease, claim(lease), "released")
    result = refreshed(result)
    assert (result.status, result.attempts, result.started_at) == ("READY", 0, None)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_cancelled_task_never_runs_and_has_an_error(queues, recorded):
    result = tasks.add.enqueue(1)
    assert task_backends["default"].cancel(result.id, reason="not wanted") is True
    assert run_pending() == []
    if recorded:
        record()
    result = refreshed(result)
    assert (result.status, result.attempts, result.args) == ("FAILED", 0, [1])
    assert (result.errors[0].exception_class, result.errors[0].traceback) == (TaskCancelled, "not wanted")
    assert task_backends["default"].cancel(result.id) is False


def test_a_running_task_is_asked_to_stop_and_has_then_failed(queues):
    result = tasks.stop_itself.enqueue()
    assert [(o.event, o.error) for o in run_pending()] == [("cancelled", "not wanted")]
    result.refresh()
    assert (str(result.status), result.attempts) == ("FAILED", 1)
    [error] = result.errors
    assert error.exception_class is TaskCancelled
    assert error.traceback.splitlines()[-2:] == ["InterruptedError", "not wanted"]
    assert task_backends["default"].stop(result.id) is False


def test_a_waiting_task_is_stopped_before_it_begins(queues):
    result = tasks.add.enqueue(1)
    assert async_to_sync(task_backends["default"].astop)(result.id, force=True) is True
    assert run_pending() == []
    result.refresh()
    assert (str(result.status), result.attempts) == ("FAILED", 0)


def test_only_what_nobody_has_can_be_cancelled(queues, lease):
    result = tasks.add.enqueue(1)
    claim(lease)
    assert task_backends["default"].cancel(result.id) is False
    assert refreshed(result).status == "RUNNING"
    done = tasks.add.enqueue(2)
    run_pending()
    assert task_backends["default"].cancel(done.id) is False
    assert task_backends["default"].cancel("1" * 32) is False
    delayed = tasks.add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(3)
    assert task_backends["default"].cancel(delayed.id) is True


def test_a_task_that_was_purged_before_its_next_attempt_has_failed(queues):
    result = tasks.fail.enqueue("no")
    run_pending(limit=1)
    queues.purge_queue("default")
    assert refreshed(result).status == "FAILED"


def test_a_result_is_forgotten_after_its_time(queues, backend):
    backend(OPTIONS={**AT_ONCE, "result_ttl": 3600})
    kept, gone = tasks.add.enqueue(1), tasks.add.enqueue(2)
    run_pending()
    assert refreshed(kept).return_value == 2
    from queueing.models import Job

    record()
    Job.objects.filter(message_id=gone.id).update(finished_at=timezone.now() - timedelta(hours=2))
    job = Job.objects.get(message_id=gone.id)
    job.history.update(finished_at=job.finished_at)
    with pytest.raises(TaskResultDoesNotExist):
        gone.refresh()


def test_arguments_are_kept_where_payloads_are_not_stored(queues, settings):
    settings.QUEUEING = {**settings.QUEUEING, "STORE_BODIES": False}
    result = tasks.add.enqueue(1, b=2)
    run_pending()
    record(Config(STORE_BODIES=False))
    found = tasks.add.get_result(result.id)
    assert (found.args, found.kwargs, found.return_value) == ([1], {"b": 2}, 3)


def test_long_arguments_are_kept_up_to_a_bound(queues):
    tasks.note.enqueue()
    queues.set_queue_attributes("default", maxsize=-1)
    whole = tasks.note.enqueue("x" * 100_000)
    longer = tasks.note.enqueue("x" * TASK_CHARACTERS)
    run_pending()
    record()
    assert tasks.note.get_result(whole.id).args == ["x" * 100_000]
    found = tasks.note.get_result(longer.id)
    assert (found.args, found.return_value) == ([], "x" * TASK_CHARACTERS)


def test_the_history_shows_the_value(queues):
    from queueing.models import Job

    tasks.add.enqueue(1)
    run_pending()
    record()
    job = Job.objects.get()
    assert (job.handler, job.result, job.state) == ("tests.unit.tasks.app.tasks.add", "2", "done")


class TestUnrecorded:
    """The outcomes of tasks are found by id, until they are in the database."""

    def test_it_is_empty_again_when_all_is_recorded(self, queues):
        for number in range(5):
            tasks.succeed_at.enqueue(number % 3 + 1)
        run_pending(delayed=True)
        assert queues.redis.hlen(KEYS.unrecorded()) == 5
        record()
        assert queues.redis.exists(KEYS.unrecorded()) == 0

    def test_plain_messages_are_not_in_it(self, queues, lease):
        queues.create_queue("default")
        queues.send_message("default", "plain")
        settle(lease, claim(lease), "done")
        assert queues.redis.xlen(KEYS.outbox()) == 1
        assert queues.redis.exists(KEYS.unrecorded()) == 0

    def test_an_outcome_that_a_full_outbox_drops_leaves_it(self, queues):
        lease = QueueLease(queues.session, Config(OUTBOX_MAX=1500), "child", "default")
        # Nothing that could be compressed to almost nothing.
        results = [tasks.note.enqueue(secrets.token_hex(400)) for _ in range(4)]
        for _ in results:
            settle(lease, claim(lease), "done")
        left = queues.redis.xlen(KEYS.outbox())
        assert queues.redis.hlen(KEYS.unrecorded()) == left < 4
        assert refreshed(results[-1]).status == "SUCCESSFUL"

    def test_a_body_of_another_program_may_resemble_a_task(self, queues, lease):
        queues.create_queue("default")
        queues.redis.zadd(KEYS.schedule("default"), {"odd id": 0})
        queues.redis.hset(KEYS.attributes("default"), "odd id", task_body.BEGINNING)
        claim(lease)
        leases.abandon(queues.session, Config(), "default", "child", started=["odd id"], reason="killed")
        record()
        assert queues.redis.exists(KEYS.unrecorded()) == 0


def recorded_by_another_program(queues, error_class="builtins.ValueError", result=""):
    """The result of a task that another program has recorded as dead, or as done with ``result``."""
    sent = tasks.add.enqueue(1)
    queues.delete_message("default", sent.id)
    outcome = Outcome(
        "default", sent.id, 1, State.DONE if result else State.DEAD, "w", started_ms=1e12, finished_ms=1e12,
        body='{"django_task":1,"task":"tests.unit.tasks.app.tasks.add"}', error="boom",
        error_class=error_class, result=result,
    )  # fmt: skip
    packed = pack([outcome], with_bodies=True)
    entry = {"count": 1, "bytes": 1, "ms": 1, "tasks": sent.id, "packed": packed, "refused": "[]"}
    queues.redis.hset(KEYS.unrecorded(), sent.id, queues.redis.xadd(KEYS.outbox(), entry))
    return refreshed(sent)


@pytest.mark.parametrize(
    "path", ["this.Zen", "os.system", "json.loads", "", "x" * 5000, "..", "a\x00b.c", "os"]
)
def test_the_name_of_an_error_makes_nothing_be_imported(queues, path):
    [error] = recorded_by_another_program(queues, path).errors
    modules = set(sys.modules)
    if path:
        assert error.exception_class_path == path
        with pytest.raises(ValueError, match="not an exception that is loaded here"):
            _ = error.exception_class
    else:
        assert error.exception_class is TaskCrashed
    assert set(sys.modules) == modules
    assert "this" not in sys.modules


def test_an_exception_that_is_loaded_is_found_by_its_name(queues):
    [error] = recorded_by_another_program(queues, "queueing.exceptions.TaskCancelled").errors
    assert error.exception_class is TaskCancelled


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "nul", "\x00"])
def test_a_return_value_that_cannot_be_read_is_none(queues, text):
    result = recorded_by_another_program(queues, result=text)
    assert (result.status, result.return_value) == ("SUCCESSFUL", None)


@pytest.mark.parametrize(
    "entries", ["a b c", "- + *", "1-1 x 9999999999999999999999-1", "\x00", "1" * 100_000]
)
def test_an_invalid_list_of_entries_hides_no_task(queues, entries):
    result = tasks.add.enqueue(1)
    queues.redis.hset(KEYS.unrecorded(), result.id, entries)
    assert refreshed(result).status == "READY"
