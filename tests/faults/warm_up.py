"""Wait until workers have begun: each has run a message, however long its start took."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

#: The largest number of messages of one round.
ROUND_MAX = 10


def until_each_works(client: QueueClient, ledger: Ledger, queue: str, *workers: WorkerProcess) -> list[str]:
    """Send short messages to ``queue`` until one has run in each of the workers. Returns all their ids.

    One message wakes one idle child, and always the same one if it is idle again. So each round has more
    messages than the one before.
    """
    ids: list[str] = []
    for process in workers:
        eventually(_sender(client, ledger, queue, process, ids), every_seconds=0.3, of=process)
    eventually(lambda: set(ids) <= set(ledger.ids("end")), of=workers[0])
    return ids


def _sender(
    client: QueueClient, ledger: Ledger, queue: str, process: WorkerProcess, ids: list[str]
) -> Callable[[], bool]:
    count = 0

    def has_run() -> bool:
        nonlocal count
        ran = {entry.pid for entry in ledger.entries("end")}
        if any(child.pid in ran for child in process.children()):
            return True
        # A round waits for the one before, so that a slow start does not pile up messages.
        if set(ids) <= set(ledger.ids("end")):
            count = min(count + 1, ROUND_MAX)
            ids.extend(client.send_messages(queue, ["0.1 warm up"] * count))
        return False

    return has_run
