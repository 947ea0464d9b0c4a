"""Repeated ``kill -9``, at any moment of a fast run."""

import os
import random
import signal
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

COUNT = 10_000


def strike(victim: str, process: WorkerProcess, ledger: Ledger) -> None:
    if victim == "group":
        process.kill_group()
    elif victim == "child":
        os.kill(ledger.entries()[-1].pid, signal.SIGKILL)
    else:
        process.kill_supervisor()
        eventually(lambda: not process.members(), what=process.tail)


@pytest.mark.soak
@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("victim", ["group", "child", "supervisor"])
@pytest.mark.parametrize("moment", range(5))
def test_a_kill_at_any_moment_loses_no_message(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    victim: str,
    threads: str,
    moment: int,
):
    client.create_queue("ledger")
    ids = client.send_messages("ledger", [str(number) for number in range(COUNT)])
    at = random.randint(moment * 1800 + 1, moment * 1800 + 1800)

    def all_done() -> bool:
        return len(diary.ids("done")) == COUNT

    with worker("ledger", "--threads", threads) as process:
        eventually(lambda: ledger.count("end") >= at, of=process, every_seconds=0.005)
        strike(victim, process, ledger)
        if victim == "child":
            eventually(all_done, of=process, what=lambda: str(diary.states()))
    if victim != "child":
        with worker("ledger", "--threads", threads) as process:
            eventually(all_done, of=process, what=lambda: str(diary.states()))
    ledger.assert_all_ended(ids, faults=1)
    figures = client.queue_figures(["ledger"])[0]
    assert (figures.attributes.msgs, figures.dead) == (0, 0)
    assert client.redis.hlen("rsmq::held") == 0
