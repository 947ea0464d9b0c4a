"""Django signals of the package in a real worker, with failing receivers beside working ones."""

from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

QUEUE = "heard"


@pytest.fixture
def listening_worker(worker: Callable[..., WorkerProcess]) -> Callable[..., WorkerProcess]:
    env = {"TEST_APPS": "tests.faults.listening_app", "TEST_QUEUES": QUEUE}
    return lambda *options: worker(QUEUE, "--name", "ear", *options, env=env)


def received(process: WorkerProcess, text: str = "") -> list[str]:
    """The signals that the processes of a worker have received, in the order of their lines."""
    lines = [line.partition("SIGNAL ")[2] for line in process.lines if "SIGNAL " in line]
    return [line for line in lines if text in line]


def test_a_job_and_its_processes_send_their_signals_in_order(
    listening_worker: Callable[..., WorkerProcess], client: QueueClient
):
    client.create_queue(QUEUE)
    id = client.send_message(QUEUE, "do")
    with listening_worker("--burst") as process:
        assert process.wait() == 0
    words = [line.split() for line in received(process)]
    assert [word for word, *_ in words] == [
        "worker_started", "child_started", "job_started", "job_finished", "child_stopping", "worker_stopping",
        "atexit",
    ]  # fmt: skip
    assert words[0] == ["worker_started", "ear", QUEUE]
    assert words[1][1] == words[4][1]
    assert words[2] == ["job_started", id]
    assert words[3] == ["job_finished", id, "done"]
    assert words[5] == ["worker_stopping", "ear"]
    assert "a receiver of the project fails" in process.output


def test_each_failed_attempt_is_reported(listening_worker: Callable[..., WorkerProcess], client: QueueClient):
    client.create_queue(QUEUE)
    id = client.send_message(QUEUE, "fail")
    with listening_worker() as process:
        eventually(lambda: received(process, "job_dead"), of=process)
    assert [line for line in received(process, id) if "started" not in line] == [
        f"job_finished {id} retrying", f"job_retrying {id} retrying",
        f"job_finished {id} dead", f"job_dead {id} dead",
    ]  # fmt: skip


def test_jobs_that_no_child_could_settle_are_reported_once(
    listening_worker: Callable[..., WorkerProcess], client: QueueClient
):
    client.create_queue(QUEUE)
    id = client.send_message(QUEUE, "die")
    spared = client.send_message(QUEUE, "do", delay=600)
    client.cancel_message(QUEUE, spared)
    with listening_worker() as process:
        eventually(lambda: received(process, "job_dead"), of=process)
        eventually(lambda: received(process, f"job_finished {spared} cancelled"), of=process)
    assert received(process, "job_finished " + id) == [
        f"job_finished {id} abandoned", f"job_finished {id} abandoned", f"job_finished {id} dead",
    ]  # fmt: skip
    assert received(process, "job_dead") == [f"job_dead {id} dead"]
    assert len(received(process, f"job_started {id}")) == 3
