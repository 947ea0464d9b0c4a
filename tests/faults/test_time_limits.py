"""A run past its time limit ends with its process, and no other job is lost."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def test_a_run_past_its_time_limit_is_a_failed_attempt_and_the_others_finish(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("limited")
    client.create_queue("slow")
    # The others take longer than the limit and have no limit.
    late, other = client.send_message("limited", "60"), client.send_message("slow", "3 beside it")
    with worker("limited", "slow", "--threads", "3") as process:
        eventually(lambda: diary.row(late).get("state") == "dead", of=process)
        eventually(lambda: diary.row(other).get("state") == "done", of=process)
        after = client.send_message("limited", "0")
        eventually(lambda: diary.row(after).get("state") == "done", of=process)
    assert diary.outcomes(late) == [(1, "retrying"), (2, "dead")]
    assert (diary.row(late)["attempts"], diary.row(late)["crashes"]) == (2, 0)
    assert "time limit of 1 s" in str(diary.row(late)["error"])
    assert diary.outcomes(other) == [(1, "done")], "it was let finish before its process was killed"
    assert client.queue_figures(["limited"])[0].dead == 1


def test_jobs_beside_it_that_outlast_the_grace_time_are_released(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("limited")
    client.create_queue("slow")
    late, other = client.send_message("limited", "60"), client.send_message("slow", "8 beside it")
    with worker("limited", "slow", "--threads", "2", "--grace", "1") as process:
        eventually(lambda: (1, "released") in diary.outcomes(other), of=process)
        eventually(lambda: (1, "retrying") in diary.outcomes(late), of=process)
        client.pause_queue("limited")
        eventually(lambda: diary.row(other).get("state") == "done", of=process)
    assert (diary.row(other)["attempts"], diary.row(other)["crashes"]) == (1, 0)
