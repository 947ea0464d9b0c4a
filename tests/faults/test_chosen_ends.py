"""Jobs that snooze, choose their retry or give up, while ``kill -9`` hits children and whole workers."""

import os
import random
import signal
import time
from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

COUNT = 400
KILLS = 4
#: Starts of runs between two kills.
STARTS = 200
OPTIONS = ("choosing", "--threads", "4", "--processes", "2")


def test_kills_lose_and_repeat_no_chosen_end(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("choosing")
    given_up = client.send_messages("choosing", [f"give up {number}" for number in range(COUNT)])
    succeed = client.send_messages("choosing", [f"succeed {number}" for number in range(COUNT)])
    with worker(*OPTIONS) as first:
        for number in range(KILLS):
            kill_a_child(ledger, first, since=number * STARTS)
        eventually(lambda: ledger.count() >= (KILLS + 1) * STARTS, of=first)
        first.kill_group()
    with worker(*OPTIONS) as second:
        eventually(
            lambda: (diary.ids("done"), diary.ids("dead")) == (set(succeed), set(given_up)),
            within_seconds=90, every_seconds=0.2, what=lambda: str(diary.states()), of=second,
        )  # fmt: skip
    invariants.check(drained=["choosing"], diary=diary)
    assert client.figures_of_queue("choosing").dead == COUNT
    runs = ledger.runs()
    for id in [*given_up, *succeed]:
        row, ends = diary.row(id), [end for _, end in diary.outcomes(id)]
        assert row["attempts"] == 2, "its retry and its end, however often it snoozed and was killed"
        assert ends.count("retrying") == 1
        assert ends.count("released") >= 2
        assert ends.count("abandoned") == row["crashes"]
        # Each run has one end; what was given back before it began has no run.
        assert runs[id] <= len(ends)


def kill_a_child(ledger: Ledger, process: WorkerProcess, since: int) -> None:
    """``kill -9`` a child at a random moment of its work."""
    eventually(lambda: ledger.count() > since, of=process)
    time.sleep(random.uniform(0, 0.1))
    pid = ledger.entries()[-1].pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: ledger.entries()[-1].pid != pid, of=process)
