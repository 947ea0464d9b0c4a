"""Very many waiting messages in one queue."""

import statistics
from collections.abc import Callable

import psutil
import pytest

from queueing.broker.leases import QueueLease
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.conf import Config
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

MEGABYTE = 1_000_000
CLAIMS = 51
FEW = 2000


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_redis_spends_no_more_on_a_claim_when_many_messages_wait(
    client: QueueClient, invariants: Invariants, figure: Callable[[str], None], count: int
):
    invariants.do_not_hold("the test settles by itself, and no handler runs")
    _fill(client, "short", FEW)
    _fill(client, "long", count)
    short, long = (
        QueueLease(client.session, Config(), "test", "short"),
        QueueLease(client.session, Config(), "test", "long"),
    )
    spent_us = {short: [], long: []}
    for _ in range(CLAIMS):
        # The sides alternate, so that other load on the machine affects both.
        for lease, spent in spent_us.items():
            spent.append(_spent_us(client, lease))
    short_us, long_us = statistics.median(spent_us[short]), statistics.median(spent_us[long])
    figure(f"claim and settle of 10: {short_us} us of Redis with {FEW:,} waiting, {long_us} with {count:,}")
    # A step down the tree for each doubling; a search would cost many times as much.
    assert long_us < 1.3 * short_us


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_the_memory_of_a_worker_does_not_grow_with_its_backlog(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
    count: int,
):
    _fill(client, "ledger", count)
    with worker("ledger") as process:
        eventually(lambda: ledger.count("end") >= 1000, of=process, every_seconds=0.1)
        before = _resident_bytes(process)
        eventually(lambda: ledger.count("end") >= 6000, of=process, every_seconds=0.1)
        grown = _resident_bytes(process) - before
    figure(f"with {count:,} waiting a worker grew by {grown / MEGABYTE:.1f} MB in 5,000 jobs")
    assert grown < 20 * MEGABYTE
    assert set(ledger.runs().values()) == {1}


def _fill(client: QueueClient, queue: str, count: int) -> None:
    client.create_queue(queue)
    for begin in range(0, count, 10_000):
        client.send_messages(queue, ["x" * 100] * min(10_000, count - begin))


def _spent_us(client: QueueClient, lease: QueueLease) -> int:
    """Microseconds that Redis spends on a claim of ten messages and on their settle."""
    before = _scripts_us(client)
    [reply] = client.session.call_each([lease.claim(10, suspects="pass")])
    batch = lease.read_claim(reply)
    client.session.call_each([lease.settle([_done(delivery) for delivery in batch.deliveries])])
    assert len(batch.deliveries) == 10
    return _scripts_us(client) - before


def _scripts_us(client: QueueClient) -> int:
    statistics_of = client.redis.info("commandstats")
    return sum(found["usec"] for name, found in statistics_of.items() if name.startswith("cmdstat_eval"))


def _done(delivery) -> Outcome:
    message = delivery.message
    return Outcome(queue=delivery.queue, id=message.id, rc=message.rc, event=State.DONE, worker="test")


def _resident_bytes(process: WorkerProcess) -> int:
    """Memory of the keeper and the child. Their shared memory is counted twice, and does not grow."""
    return sum(psutil.Process(child.pid).memory_info().rss for child in process.children())
