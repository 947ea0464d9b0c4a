"""The workers of a namespace: their heartbeats, who they are, and telling one to be quiet."""

from dataclasses import dataclass

from queueing.broker import decode, rsmq_values
from queueing.monitoring.workers import Worker, read_worker, told_apart

from .base import ClientBase


@dataclass(frozen=True, slots=True)
class Heard:
    """What a heartbeat is answered.

    ``queues`` are all names in the index where it is this worker's turn to note how they stand, else
    ``None``. ``task_queues`` are those to which tasks were sent, where it asks.
    """

    is_quiet: bool
    queues: list[str] | None
    task_queues: list[str]


class Workers(ClientBase):
    """What workers tell and are told."""

    def workers(self) -> list[Worker]:
        """The workers that have not left, by name; a dead one for an hour after its last heartbeat."""
        now_ms, *told = self.scripts.run("workers", self._worker_keys())
        triples = zip(told[::3], told[1::3], told[2::3], strict=True)
        return told_apart(read_worker(key, stored, token, int(now_ms)) for key, stored, token in triples)

    def quiet_worker(self, name: str) -> bool:
        """Let a worker claim nothing from its next heartbeat on; what it runs goes on.

        ``name`` is its name or its key; a name that several workers share means all of them. Returns whether
        there is such a worker. It holds as long as that worker lives.
        """
        # If one is replaced in this moment, its successor does not listen to this token.
        found = [worker for worker in self._named(name) if worker.token]
        for worker in found:
            self._tell(worker.key, worker.token)
        return bool(found)

    def resume_worker(self, name: str) -> bool:
        """Let it claim again. Returns whether there is such a worker."""
        found = self._named(name)
        for worker in found:
            self._tell(worker.key, "")
        return bool(found)

    def beat(self, worker: str, record: str, token: str, *, asks_task_queues: bool = False) -> Heard:
        """Note that ``worker`` (its key) is alive, with a JSON text about it, at the server's time.

        ``token`` tells this life of the worker from others of the same name; the record holds it, too.
        """
        keys = [*self._worker_keys(), self.keys.sampled(), self.keys.queues(), self.keys.task_queues()]
        is_quiet, is_its_turn, sent_to, *names = self.scripts.run(
            "beat", keys, worker, record, token, int(asks_task_queues)
        )
        queues = [decode.text(name) for name in names] if is_its_turn else None
        return Heard(bool(is_quiet), queues, sorted(decode.text(name) for name in sent_to))

    def forget_worker(self, worker: str) -> None:
        """Strike a worker (its key) that has left from the list of the living."""
        self.scripts.run("forget_worker", self._worker_keys(), worker)

    def _named(self, name: str) -> list[Worker]:
        return [worker for worker in self.workers() if name in (worker.key, worker.given_name)]

    def _tell(self, key: str, token: str) -> None:
        args = rsmq_values.encode(key), rsmq_values.encode(token)
        self.scripts.run("quiet_worker", [self.keys.quiet_workers()], *args)

    def _worker_keys(self) -> list[str]:
        return [self.keys.workers(), self.keys.quiet_workers()]
