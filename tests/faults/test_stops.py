"""A running job is stopped, with real workers and ``kill -9`` beside it."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

QUEUES = ("stoppable", "stoppable-async", "slow", "limited")
REASON = "the file was deleted"


@pytest.fixture(autouse=True)
def queues(client: QueueClient) -> None:
    for queue in QUEUES:
        client.create_queue(queue)


@pytest.mark.parametrize("queue", ["stoppable", "stoppable-async"])
def test_a_run_is_stopped_and_the_others_are_not(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary, queue: str
):
    id, other = client.send_message(queue, "listens"), client.send_message("slow", "3")
    with worker(*QUEUES, "--threads", "2") as process:
        eventually(lambda: ledger.runs()[id] and ledger.runs()[other], of=process)
        assert client.stop_message(queue, id, reason=REASON) == "running"
        eventually(lambda: diary.row(id).get("state") == "cancelled", of=process)
        eventually(lambda: diary.row(other).get("state") == "done", of=process)
    assert (diary.outcomes(id), diary.row(id)["error"]) == ([(1, "cancelled")], REASON)
    assert diary.outcomes(other) == [(1, "done")]
    assert client.figures_of_queue(queue).dead == 0


def test_by_force_its_process_ends_and_its_neighbours_are_released(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    id, other = client.send_message("stoppable", "deaf 60"), client.send_message("slow", "5")
    with worker(*QUEUES, "--threads", "2", "--grace", "1") as process:
        eventually(lambda: ledger.runs()[id] and ledger.runs()[other], of=process)
        client.stop_message("stoppable", id, reason=REASON, force=True)
        eventually(lambda: diary.row(id).get("state") == "cancelled", of=process)
        eventually(lambda: (1, "released") in diary.outcomes(other), of=process)
        eventually(lambda: diary.row(other).get("state") == "done", of=process)
        process.wait_for_line(f"was killed by SIGKILL, as {id} was stopped")
        process.wait_for_line("gave back 1 message of slow")
        assert "of stoppable: another message" not in process.output
    assert (diary.outcomes(id), diary.row(id)["error"]) == ([(1, "cancelled")], REASON)
    assert (diary.row(other)["attempts"], diary.row(other)["crashes"]) == (1, 0)


def test_a_stopped_job_that_runs_past_its_time_limit_is_not_retried(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    id = client.send_message("limited", "60")
    with worker(*QUEUES, "--grace", "1") as process:
        eventually(lambda: ledger.runs()[id], of=process)
        assert client.stop_message("limited", id, reason=REASON) == "running"
        eventually(lambda: diary.row(id).get("state") == "cancelled", of=process)
    assert (diary.outcomes(id), diary.row(id)["error"]) == ([(1, "cancelled")], REASON)
    assert ledger.runs()[id] == 1


def test_kills_leave_each_stopped_job_right_and_stop_no_other(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    stopped = client.send_messages("stoppable", ["listens"] * 12)
    finish = client.send_messages("slow", ["0.2"] * 12)
    options = (*QUEUES, "--threads", "3", "--processes", "2", "--grace", "1")
    for number in range(3):
        with worker(*options) as process:
            eventually(lambda: client.figures_of_queue("stoppable").running, of=process)
            for id in stopped[number::3]:
                client.stop_message("stoppable", id, reason=REASON, force=bool(number % 2))
            time.sleep(random.uniform(0, 1.5))
            entry = eventually(ledger.entries, of=process)[-1]
            if process.pid != entry.pid:
                kill(entry.pid)
            time.sleep(random.uniform(0, 0.5))
            process.kill_group()
    with worker(*options) as process:
        client.stop_messages("stoppable", stopped)
        all_right = lambda: (diary.ids("cancelled"), diary.ids("done")) == (set(stopped), set(finish))  # noqa: E731
        # A killed worker takes the order with it only if its run has already come back.
        eventually(
            lambda: all_right() or (client.stop_messages("stoppable", stopped) and False),
            within_seconds=90, every_seconds=1, what=lambda: str(diary.states()), of=process,
        )  # fmt: skip
    invariants.check(diary=diary)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
