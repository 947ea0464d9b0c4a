"""The scene of a fault: a queue, workers for it, and the records of their work."""

from collections.abc import Callable
from dataclasses import dataclass

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


@dataclass(frozen=True, slots=True)
class Scene:
    """The queue ``slow`` on the Redis of the test. ``worker`` starts a worker of the given queues."""

    client: QueueClient
    worker: Callable[..., WorkerProcess]
    ledger: Ledger
    diary: Diary
    invariants: Invariants

    def send(self, body: str) -> str:
        """Send to ``slow``; returns the id."""
        return self.client.send_message("slow", body)

    def begun(self, message_id: str, process: WorkerProcess, *, times: int = 1) -> None:
        """Wait until ``count`` runs of a message have begun."""
        eventually(lambda: self.ledger.runs()[message_id] == times, of=process)

    def begun_again(
        self, message_id: str, process: WorkerProcess, *, since_ms: float, within_seconds: float
    ) -> None:
        """Wait for the second run of a message. It must begin within ``seconds`` according to the ledger."""
        self.begun(message_id, process, times=2)
        again_ms = self.ledger.starts_ms(message_id)[1]
        assert again_ms - since_ms < within_seconds * 1000

    def done(self, process: WorkerProcess, *message_ids: str) -> None:
        """Wait until all these messages are recorded as done."""
        wanted = set(message_ids)
        missing = lambda: wanted - self.diary.ids("done")  # noqa: E731
        eventually(
            lambda: not missing(), of=process,
            what=lambda: f"done: {({id: self.diary.row(id) for id in missing()})}",
        )  # fmt: skip
