"""Unreadable data of other programs affects at most its own message: never a child, a queue or the
history.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

from queueing.client import QueueClient, default
from queueing.exceptions import QueueExists
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from . import spoilt

QUEUES = ("ledger", "brisk")


class Watch:
    """A worker with one thread that serves both queues, and the check that it tolerates spoilt data."""

    def __init__(self, client: QueueClient, process: WorkerProcess, diary: Diary, ledger: Ledger) -> None:
        self.client, self.process, self.diary, self.ledger = client, process, diary, ledger

    def bears(self, cases: Iterable[tuple[str, spoilt.Spoil]], *queues: str) -> None:
        """In each case, messages in ``queues`` must still run, in the same processes."""
        faults = list(self._faults(cases, queues))
        assert not faults, "\n".join(faults)

    def _faults(self, cases: Iterable[tuple[str, spoilt.Spoil]], queues: tuple[str, ...]) -> Iterator[str]:
        for name, spoil in cases:
            self._renew()
            before = self._pids()
            spoil(self.client)
            missing = [queue for queue in queues if not self._runs_on(queue)]
            if missing:
                yield f"{name}: a healthy message in {' and '.join(missing)} did not run"
            if self._pids() != before:
                yield f"{name}: a process of the worker died"

    def _renew(self) -> None:
        redis = self.client.redis
        for key in redis.scan_iter("rsmq*", count=1000):
            redis.unlink(key)
        for queue in QUEUES:
            with suppress(QueueExists):  # the worker creates a missing queue of its own, too
                self.client.create_queue(queue)
            self.client.set_queue_attributes(queue, maxsize=-1)
        for queue in QUEUES:
            assert self._runs_on(queue), f"{queue} stays broken: {self.process.tail()}"

    def _runs_on(self, queue: str) -> bool:
        """Whether a new message is run and settled."""
        id = self.client.send_message(queue, "healthy")
        field = (self.client.keys.attributes(queue), id)
        try:
            eventually(
                lambda: id in self.ledger.ids("end") and not self.client.redis.hexists(*field),
                within_seconds=30, of=self.process,
            )  # fmt: skip
        except AssertionError:
            return False
        return True

    def _pids(self) -> list[int]:
        return [child.pid for child in self.process.children()]


@pytest.fixture
def watch(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    diary: Diary,
    ledger: Ledger,
    invariants: Invariants,
) -> Iterator[Watch]:
    invariants.do_not_hold("keys are spoilt and deleted behind the worker's back")
    default.create_configured_queues(client)
    with worker(*QUEUES) as process:
        yield Watch(client, process, diary, ledger)


def test_an_unreadable_message_stops_no_other_message(watch: Watch):
    watch.bears(spoilt.per_message(), *QUEUES)


def test_unreadable_values_beside_a_queue_stop_no_message(watch: Watch):
    watch.bears(spoilt.beside(), *QUEUES)


def test_a_key_of_another_type_stops_no_message(watch: Watch):
    watch.bears(spoilt.keys_of_another_type(), *QUEUES)


def test_a_queue_with_keys_of_another_type_stops_no_other_queue(watch: Watch):
    watch.bears(spoilt.keys_of_rsmq_of_another_type(), "brisk")
