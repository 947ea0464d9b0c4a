"""Wait until workers have begun: each has run a message, however long its start took."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def until_each_works(client: QueueClient, ledger: Ledger, queue: str, *workers: WorkerProcess) -> list[str]:
    """Send short messages to ``queue`` until one has run in each of the workers. Returns all their ids."""
    ids: list[str] = []
    for process in workers:
        eventually(_sender(client, ledger, queue, process, ids), every_seconds=0.3, of=process)
    eventually(lambda: set(ids) <= set(ledger.ids("end")), of=workers[0])
    return ids


def _sender(
    client: QueueClient, ledger: Ledger, queue: str, process: WorkerProcess, ids: list[str]
) -> Callable[[], bool]:
    def has_run() -> bool:
        ran = {entry.pid for entry in ledger.entries("end")}
        if any(child.pid in ran for child in process.children()):
            return True
        ids.append(client.send_message(queue, "0.1 warm up"))
        return False

    return has_run
