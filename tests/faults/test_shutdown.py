"""SIGTERM: running jobs finish, waiting ones are given back, and the exit code is 0."""

import signal
import time
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.stalls import Stalls
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .warm_up import until_each_works


def begun(ledger: Ledger, message_id: str, process: WorkerProcess) -> None:
    eventually(lambda: message_id in ledger.ids("start"), of=process)


def test_three_sigterms_to_the_group_finish_the_running_message_once_and_exit_0(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("slow")
    running, *waiting = client.send_messages("slow", ["8 running", "0 waiting", "0 waiting"])
    with worker("slow", "--threads", "1") as process:
        begun(ledger, running, process)
        process.signal_group(signal.SIGTERM)
        process.wait_for_line("stopping")
        process.signal_group(signal.SIGTERM)
        eventually(lambda: client.queue_figures(["slow"])[0].ready == len(waiting), of=process)
        process.signal_group(signal.SIGTERM)
        assert process.wait() == 0, process.tail()
        assert process.members() == []
    assert ledger.ids("end") == [running]
    assert diary.row(running)["state"] == "done"
    figures = client.queue_figures(["slow"])[0]
    assert (figures.ready, figures.running) == (len(waiting), 0), "given back at once"

    with worker("slow", "--burst") as second:
        assert second.wait() == 0, second.tail()
    ledger.assert_each_ran_once([running, *waiting])


@pytest.mark.parametrize("queues", [["slow"], ["slow", "brisk"]], ids=["one queue", "two queues"])
def test_a_worker_that_has_never_reached_redis_stops_without_its_grace_time(
    worker: Callable[..., WorkerProcess], queues: list[str]
):
    with worker(*queues, "--grace", "600", env={"REDIS_URL": "redis://127.0.0.1:1/0"}) as process:
        process.wait_for_line("waiting for it")
        process.signal_group(signal.SIGINT)
        assert process.wait() == 0, process.tail()
    assert "SIGKILL" not in process.output


def test_a_job_longer_than_the_grace_time_is_released_and_its_attempt_not_counted(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    stalls: Stalls,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "10 too long")
    with worker("slow", "--grace", "1") as process:
        begun(ledger, message_id, process)
        term_ms = client.now_ms()
        process.signal_group(signal.SIGTERM)
        assert process.wait() == 0, process.tail()
    assert client.queue_figures(["slow"])[0].ready == 1
    with worker("slow") as second:
        eventually(lambda: diary.row(message_id).get("state") == "done", of=second)
    assert diary.outcomes(message_id) == [(1, "released"), (2, "done")]
    released_ms = diary.ended_ms(message_id, 1)
    assert released_ms - term_ms >= 1000
    assert stalls.awake(term_ms / 1000, released_ms / 1000) < 2.5
    assert (diary.row(message_id)["attempts"], diary.row(message_id)["crashes"]) == (1, 0)


def test_a_job_released_at_the_end_of_the_grace_time_starts_elsewhere_within_two_seconds(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    stalls: Stalls,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "60 too long for any")
    with worker("slow", "--grace", "1") as first:
        begun(ledger, message_id, first)
        with worker("slow", "--grace", "1") as second:
            until_each_works(client, ledger, "slow", second)
            term_ms = client.now_ms()
            first.signal_group(signal.SIGTERM)
            eventually(lambda: ledger.runs()[message_id] == 2, of=second, what=first.tail)
            assert first.wait() == 0, first.tail()
            awake_seconds = stalls.awake(term_ms / 1000, time.time())
            assert awake_seconds < 6, "a platform with 25 s of grace kills at 30"
    released, again = diary.ended_ms(message_id, 1) / 1000, ledger.starts_ms(message_id)[1] / 1000
    assert stalls.awake(term_ms / 1000, released) < 2.5
    assert stalls.awake(released, again) < 2
    assert diary.outcomes(message_id) == [(1, "released"), (2, "released")]
    assert (diary.row(message_id)["attempts"], diary.row(message_id)["crashes"]) == (0, 0)


def test_an_idle_worker_ends_immediately(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        message_id = client.send_message("ledger", "warm up")
        eventually(lambda: message_id in ledger.ids("end"), of=process)
        process.terminate()
        # It has 25 s of grace and needs none of them.
        assert process.wait(within_seconds=20) == 0, process.tail()
