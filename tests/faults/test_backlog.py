"""Very many messages that wait behind each other."""

import os
import statistics
import time
from collections.abc import Callable

import psutil
import pytest

from queueing.client import QueueClient
from queueing.conf import Conf
from queueing.holdings import Lane, run_all
from queueing.outcomes import Outcome
from tests.servers.invariants import Invariants
from tests.servers.ledger import Ledger
from tests.servers.waiting import eventually
from tests.servers.worker_process import WorkerProcess

MEGABYTE = 1_000_000
CLAIMS = 30


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_a_backlog_makes_neither_a_claim_slower_nor_a_worker_larger(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    invariants: Invariants,
    figure: Callable[[str], None],
    count: int,
):
    client.create_queue("ledger")
    client.send_messages("ledger", ["small"] * 2000)
    small_ms = _claim_ms(client)
    for _ in range(count // 10_000):
        client.send_messages("ledger", ["x" * 100] * 10_000)
    large_ms = _claim_ms(client)
    with worker("ledger") as process:
        eventually(lambda: ledger.count("end") >= 1000, within_seconds=60, of=process, every_seconds=0.1)
        before = _resident_bytes(process)
        eventually(lambda: ledger.count("end") >= 6000, within_seconds=60, of=process, every_seconds=0.1)
        grown = _resident_bytes(process) - before
    figure(
        f"claim of 20 and its settle: {small_ms:.2f} ms of 2,000, {large_ms:.2f} ms of {count:,}; "
        f"a worker grew by {grown / MEGABYTE:.1f} MB in 5,000 jobs"
    )
    # A step down the tree for each doubling; ten times as much would be a search.
    assert large_ms < 10 * small_ms
    assert grown < 20 * MEGABYTE
    # What was claimed here was run by no handler.
    invariants.do_not_hold("the test settles by itself")
    assert set(ledger.runs().values()) == {1}


def _claim_ms(client: QueueClient) -> float:
    """The median of a claim of twenty messages and of their settling, as a child does it."""
    lane = Lane(client, Conf(), f"test-{os.getpid()}", "ledger")
    took_ms = []
    for _ in range(CLAIMS):
        started = time.perf_counter()
        [reply] = run_all(client, [lane.claim(20, suspects="pass")])
        batch = lane.read_claim(reply)
        run_all(client, [lane.settle([_done(delivery) for delivery in batch.deliveries])])
        took_ms.append((time.perf_counter() - started) * 1000)
        assert len(batch.deliveries) == 20
    return statistics.median(took_ms)


def _done(delivery) -> Outcome:
    message = delivery.message
    return Outcome(queue=delivery.queue, id=message.id, rc=message.rc, event="done", worker="test")


def _resident_bytes(process: WorkerProcess) -> int:
    """Of the keeper and the child; what they share is counted twice, and does not grow."""
    return sum(psutil.Process(child.pid).memory_info().rss for child in process.children())
