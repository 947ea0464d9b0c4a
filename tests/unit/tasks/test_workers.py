"""Tasks in real workers: sent from this process, run in another, asked for here."""

from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .app import tasks

pytestmark = pytest.mark.usefixtures("workers_database")
TaskWorker = Callable[..., WorkerProcess]


def status_of(result) -> str:
    result.refresh()
    return str(result.status)


def finished(results, process: WorkerProcess) -> None:
    def all_are() -> bool:
        return all(status_of(result) in ("SUCCESSFUL", "FAILED") for result in results)

    eventually(all_are, of=process, what="all to be finished")


def test_tasks_are_enqueued_here_and_run_there(task_worker: TaskWorker):
    results = {
        "add": tasks.add.enqueue(1, b=2),
        "async": tasks.add_async.enqueue(3),
        "retried": tasks.succeed_at.enqueue(3),
        "failed": tasks.fail.enqueue("no"),
        "late": tasks.dawdle.enqueue(),
        "low": tasks.tell.using(priority=-5, queue_name="mails").enqueue("low"),
        "progress": tasks.advance.enqueue(),
    }
    assert {str(result.status) for result in results.values()} == {"READY"}
    with task_worker("--burst") as process:
        assert process.wait() == 0
    for result in results.values():
        result.refresh()
    assert results["add"].return_value == 3
    assert results["async"].return_value == 4
    assert results["low"].return_value["queue"] == "mails"
    assert results["low"].return_value["priority"] == -5
    assert results["progress"].return_value == "done"
    assert results["add"].worker_ids[0].partition(".")[0] in process.output
    # The retries were not due before the end of the burst.
    with task_worker("default") as process:
        finished(results.values(), process)
    assert (results["retried"].return_value, results["retried"].attempts) == (3, 3)
    assert [error.exception_class for error in results["failed"].errors] == [ValueError, ValueError]
    assert "TimedOut" in results["late"].errors[0].exception_class_path


def test_a_task_is_running_while_it_runs_and_its_result_outlives_the_worker(task_worker: TaskWorker):
    result = tasks.wait.enqueue(1.0)
    with task_worker("default", "mails") as process:
        eventually(lambda: status_of(result) == "RUNNING", of=process)
        assert result.worker_ids[0] == result.worker_ids[-1]
        assert result.started_at == result.last_attempted_at
        finished([result], process)
    assert (result.return_value, result.attempts) == ("rested", 1)


@pytest.mark.parametrize("flaky", [tasks.succeed_at_async, tasks.succeed_at_decorated])
def test_an_async_task_runs_again_after_its_failure_is_in_the_database(
    task_worker: TaskWorker, client: QueueClient, diary: Diary, flaky
):
    result = flaky.enqueue(3)
    with task_worker("default") as process:
        for attempt in (1, 2):
            # Recorded, so that the next attempt reads it from the database.
            eventually(lambda n=attempt: len(diary.outcomes(result.id)) == n, of=process)
            client.change_message_visibility("default", result.id, 0)
        finished([result], process)
    assert [error.exception_class for error in result.errors] == [LookupError, LookupError]
    assert (str(result.status), result.return_value, result.attempts) == ("SUCCESSFUL", 3, 3)


def test_a_task_that_kills_its_process_has_failed_after_three_crashes(
    task_worker: TaskWorker, ledger: Ledger, client: QueueClient
):
    result, other = tasks.die.enqueue(), tasks.note.enqueue("x")
    with task_worker() as process:
        finished([result, other], process)
    assert (other.return_value, str(result.status), result.attempts) == ("x", "FAILED", 3)
    assert len(set(result.worker_ids)) == 3
    assert all("SIGKILL" in error.traceback for error in result.errors)
    assert len(result.errors) == 3
    assert ledger.count("start") == 3 + 1
    assert client.queue_figures(["default"])[0].dead == 1


def test_an_end_that_the_task_could_not_report_is_signalled_once(task_worker: TaskWorker, ledger: Ledger):
    sent = [
        (tasks.die.enqueue(), "TaskCrashed,TaskCrashed,TaskCrashed"),
        (tasks.die_once.enqueue(), "TaskCrashed,MayNotRunAgain"),
        (tasks.sleep_long.enqueue(), "TimedOut"),
        (tasks.fail.enqueue("no"), "ValueError,ValueError"),
        (tasks.dawdle.enqueue(), "TimedOut"),
    ]
    with task_worker() as process:
        finished([result for result, _ in sent], process)
        eventually(lambda: ledger.count("failed") >= len(sent), of=process)
    told = {entry.message_id: entry.body for entry in ledger.entries("failed")}
    assert told == {result.id: repr(errors) for result, errors in sent}
    assert ledger.count("failed") == len(sent)


def test_a_worker_without_names_takes_the_queues_of_the_setting(task_worker: TaskWorker, client: QueueClient):
    with task_worker(TEST_QUEUES="ledger", TEST_TASK_QUEUES="default mails") as process:
        line = process.wait_for_line("worker .* processes")
    taken = line.partition(";")[0].partition(": ")[2].split(", ")
    assert {"default", "mails", "default-low", "mails-low"} <= set(taken)
    assert taken.index("default-low") > taken.index("testqueue")
    assert "default-low" not in client.list_queues()


def test_with_any_queue_it_takes_those_that_were_used(task_worker: TaskWorker, client: QueueClient, backend):
    backend(QUEUES=[])
    result = tasks.add.using(queue_name="crowd").enqueue(1)
    client.create_queue("foreign")
    with task_worker(TEST_TASK_QUEUES="") as process:
        line = process.wait_for_line("worker .* processes")
        finished([result], process)
    assert "crowd" in line
    assert "foreign" not in line


def test_with_any_queue_it_takes_those_that_come_up_while_it_works(task_worker: TaskWorker, backend):
    backend(QUEUES=[])
    with task_worker("--processes", "2", TEST_TASK_QUEUES="") as process:
        line = process.wait_for_line("worker .* processes")
        assert "crowd" not in line
        add = tasks.add.using(queue_name="crowd")
        finished([add.enqueue(1), add.using(priority=-5).enqueue(2)], process)
        process.wait_for_line("takes also crowd, crowd-low")
        # A child that is born later has them from the start; what it held when it died is given back.
        died = tasks.die.using(queue_name="crowd").enqueue()
        finished([died, tasks.add.using(queue_name="crew").enqueue(1)], process)
        process.wait_for_line("takes also crew, crew-low")
    assert (str(died.status), died.attempts) == ("FAILED", 3)


def test_children_are_replaced_for_a_new_queue_after_their_jobs(task_worker: TaskWorker, backend):
    backend(QUEUES=[])
    running = [tasks.wait.enqueue(3.0) for _ in range(2)]
    with task_worker("--processes", "2", TEST_TASK_QUEUES="") as process:
        for result in running:
            eventually(lambda result=result: status_of(result) == "RUNNING", of=process)
        new = tasks.add.using(queue_name="crowd").enqueue(1)
        process.wait_for_line("takes also crowd, crowd-low")
        finished([*running, new], process)
        # A job that waits meanwhile is not lost either.
        finished([tasks.add.enqueue(2)], process)
    assert [(result.return_value, result.attempts) for result in running] == [("rested", 1)] * 2
    assert (new.return_value, new.attempts) == (2, 1)
    assert len(process.logged("makes room for a new one: its list of queues is longer now")) == 2


def test_with_any_queue_it_takes_what_is_named(task_worker: TaskWorker):
    result = tasks.add.using(queue_name="crowd").enqueue(1)
    with task_worker("crowd", TEST_TASK_QUEUES="") as process:
        finished([result], process)
    assert result.return_value == 2


def test_a_queue_without_tasks_and_a_handler_is_an_error(task_worker: TaskWorker):
    with task_worker("nobody") as process:
        assert process.wait() == 1
    assert "No handler is registered" in process.output


def test_a_worker_waits_for_redis_to_learn_its_queues(task_worker: TaskWorker, own_redis):
    server = own_redis()
    server.stop()
    with task_worker(TEST_TASK_QUEUES="", REDIS_URL=server.url) as process:
        process.wait_for_line("waiting for it, to learn which queues have tasks")
        server.start()
        process.wait_for_line("worker .* processes")
