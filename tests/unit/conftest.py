"""Clients for the tests of the queue: each test that asks for ``any_client`` runs on both Redis kinds."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import count

import pytest

from queueing import handlers
from queueing.broker.leases import Batch, Delivery, QueueLease
from queueing.broker.outcomes import Outcome, State
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import QueueExists
from queueing.messages import Message
from queueing.worker.processor import Processor
from queueing.worker.shared_memory import SharedMemory
from tests.support.looped_client import LoopedClient
from tests.support.threads import Threads


@pytest.fixture(params=["client", "fake_client"], ids=["redis", "fakeredis"])
def any_client(request: pytest.FixtureRequest) -> QueueClient:
    return request.getfixturevalue(request.param)


@pytest.fixture
def looped_client(client: QueueClient) -> Iterator[LoopedClient]:
    """The client of event loops on the real Redis, with the face of a ``QueueClient``."""
    looped = LoopedClient(client)
    yield looped
    looped.close()


@pytest.fixture
def conf() -> Config:
    return Config()


class Hand:
    """A child's lease on the queue ``work``, moved by hand."""

    def __init__(self, client: QueueClient, conf: Config, child: str) -> None:
        self.client, self.child = client, child
        self.lease = QueueLease(client.session, conf, child, "work")

    def run(self, call) -> list:
        return self.client.session.call_each([call])[0]

    def claim(self, count: int = 10, *, suspects: str = "take") -> Batch:
        return self.lease.read_claim(self.run(self.lease.claim(count, suspects=suspects)))

    def settle(self, *outcomes: Outcome) -> dict[str, str]:
        return self.lease.read_settle(self.run(self.lease.settle(outcomes)))


@pytest.fixture
def hand(any_client: QueueClient, conf: Config) -> Callable[..., Hand]:
    """``hand("a")`` is the lease of a child named ``a``; the queue ``work`` exists."""
    with suppress(QueueExists):
        any_client.create_queue("work")
    return lambda child="a", conf=conf: Hand(any_client, conf, child)


def ended(delivery, event: str, **more) -> Outcome:
    """An outcome of a claimed delivery."""
    message = delivery.message
    return Outcome(
        "work", message.id, message.rc, State(event), "a", body=message.body, finished_ms=1.0, **more
    )


class Runtime:
    """Notes what runs report."""

    worker = "w"
    is_stopping = False

    def __init__(self) -> None:
        self.reports: list[tuple[str, float, str]] = []
        #: Why deliveries are to be stopped, by receipt.
        self.stops: dict[tuple[str, int], str] = {}

    def stop_reason(self, delivery: Delivery) -> str | None:
        return self.stops.get((delivery.message.id, delivery.message.rc))

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        self.reports.append((delivery.message.id, fraction, note))


class Process:
    """Registers a function and runs one delivery through it: ``process(function, failed=…)``.

    In a thread of its own, as a thread pool does: database connections belong to threads.
    """

    def __init__(self) -> None:
        self._processor = Processor(Runtime(), max_attempts=5, now_ms=count(1000, 250).__next__)
        self._threads: dict[str, Threads] = {}
        [self.slot] = SharedMemory(1, 2, ("q",)).slots
        self.reports = self._processor.runtime.reports
        self.stops, self.stop = self._processor.runtime.stops, self._processor.stop

    def __call__(self, function, *, within_seconds: float = 60, **more) -> Outcome:
        return self.start(function, **more).result(within_seconds)

    def start(
        self, function, *, failed: int = 0, crashed: int = 0, queue: str = "q", thread: str = "main"
    ) -> Future[Outcome]:
        if function:
            handlers._handlers.pop(queue, None)
            handlers.handler(queue)(function)
        delivery = Delivery(queue, Message("i" * 32, "text", 1, 0, 0.0), failed, crashed, 0)
        pool = self._threads.setdefault(thread, Threads(1))
        mark = self.slot.marks[thread != "main"]
        return pool.submit(self._processor.process, delivery, mark)

    def end(self) -> None:
        for pool in self._threads.values():
            pool.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(handlers, "_handlers", {})
    process = Process()
    yield process
    process.end()
