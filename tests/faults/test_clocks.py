"""Workers with wrong clocks work correctly together, because only Redis' clock counts."""

import sys
import time
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from queueing.messages import Draft
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.libfaketime import clock_off
from tests.support.program import Program
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .warm_up import until_each_works

HOUR_MS = 3_600_000

#: The second thread computes. The first one waits for the interpreter lock, up to an hour before it insists.
TWO_THREADS = """
import sys, threading, time

ended = []
sys.setswitchinterval(3600)
threading.Thread(target=lambda: ended.append(sum(number for number in range(1_000_000)))).start()
print(time.time(), bool(ended))
"""


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_wrong_clock_does_not_shorten_the_wait_for_the_interpreter_lock(offset: str):
    program = Program([sys.executable, "-c", TWO_THREADS], env=clock_off(offset))
    assert program.run() == 0, program.tail()
    seconds, has_ended = program.lines[-1].split()
    assert abs(float(seconds) - time.time()) * 1000 > 0.9 * HOUR_MS, "its clock is wrong"
    assert has_ended == "True", "the second thread computes without an interruption"


def test_workers_with_clocks_an_hour_ahead_and_behind_run_each_message_once(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    for queue in ("slow", "raising"):
        client.create_queue(queue)
    lease = {"TEST_LEASE": "5"}
    with (
        worker("slow", "raising", env={**clock_off("+1h"), **lease}) as ahead,
        worker("slow", "raising", env={**clock_off("-1h"), **lease}) as behind,
    ):
        warm_ups = until_each_works(client, ledger, "slow", ahead, behind)
        wrong = [abs(entry.at_ms - time.time() * 1000) for entry in ledger.entries()]
        assert min(wrong) > 0.9 * HOUR_MS, "both clocks are wrong"

        # Longer than the lease: one worker with a wrong clock extends it, and another one checks it.
        long = [client.send_message("slow", "10 long") for _ in range(2)]
        later = client.send_messages("slow", [Draft(body="0 later", delay_ms=6000)] * 10)
        sent_ms = _server_ms(client)
        failing = client.send_message("raising", "no")
        ids = {*warm_ups, *long, *later}
        eventually(lambda: diary.ids("done") == ids, of=behind)
        eventually(lambda: diary.ids("dead") == {failing}, of=ahead)
        assert _server_ms(client) - sent_ms >= 6000, "no clock made anything due before its time"
    assert ledger.runs()[failing] == 3
    invariants.check(faults=0, drained=["slow", "raising"], diary=diary)
    for finished_ms in diary.finished_ms():
        assert abs(finished_ms - time.time() * 1000) < HOUR_MS / 2, "remembered by the server's clock"


def _server_ms(client: QueueClient) -> float:
    seconds, micros = client.redis.time()
    return seconds * 1000 + micros / 1000
