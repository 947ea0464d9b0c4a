"""Several workers' keepers, recorders and sweepers on one Redis and one database."""

from collections.abc import Callable
from contextlib import ExitStack

from queueing.broker.keys import Keys
from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

#: Seconds. A machine that stalls for less than three of them costs no lease.
LEASE = 5
QUEUES = ("brisk", "slow", "raising")


def test_three_workers_sweep_record_and_keep_concurrently_and_do_nothing_twice(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    for queue in QUEUES:
        client.create_queue(queue)
    long = client.send_messages("slow", [f"{1.5 * LEASE} long"] * 6)
    brisk = client.send_messages("brisk", [str(number) for number in range(600)])
    failing = client.send_messages("raising", ["no"] * 20)
    phantoms = _phantoms(client)
    with ExitStack() as stack:
        sweeping = {"TEST_APPS": "tests.faults.sweeping_app", "TEST_LEASE": str(LEASE)}
        workers = [
            stack.enter_context(worker(*QUEUES, "--processes", "2", "--threads", "2", env=sweeping))
            for _ in range(3)
        ]
        expected = {*long, *brisk}
        eventually(lambda: diary.ids("done") == expected, of=workers[0], every_seconds=0.2)
        eventually(lambda: diary.ids("dead") == set(failing), of=workers[0])
        eventually(lambda: not client.redis.hexists(Keys("rsmq").attributes("slow"), phantoms[0]))
        assert all(process.is_running for process in workers)
    assert max(ledger.runs()[message_id] for message_id in long + brisk) == 1
    invariants.check(faults=0, drained=QUEUES, diary=diary)


def _phantoms(client: QueueClient) -> list[str]:
    """Leave counts of messages that are gone, as other programs do, for the sweepers."""
    fields = [f"{'0' * 30}{number:02d}:rc" for number in range(50)]
    client.redis.hset(Keys("rsmq").attributes("slow"), mapping=dict.fromkeys(fields, 1))
    return fields
