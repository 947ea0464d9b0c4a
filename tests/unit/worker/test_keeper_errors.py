"""An error costs the keeper one turn of one of its threads, never a thread and never the process."""

import logging
import os
import threading
from collections.abc import Iterator
from functools import partial
from itertools import count
from time import monotonic

import pytest

from queueing.broker.session import Session
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.monitoring.workers import read_workers
from queueing.scheduling import store
from queueing.worker.guard import REPORT_SECONDS, Guard
from queueing.worker.heartbeat import Birth
from queueing.worker.keeper import Keeper
from queueing.worker.recorder import Recorder
from queueing.worker.scheduler import Scheduler
from queueing.worker.shared_memory import SharedMemory
from queueing.worker.sweeper import EVERY_SECONDS, Sweeper
from queueing.worker.waker import Waker
from tests.support.clock import Clock
from tests.support.threads import in_thread, logged_here
from tests.support.waiting import eventually

from .test_scheduler import every

pytestmark = pytest.mark.django_db

#: Errors that come from data, from the project's code, and from a machine that is short of memory.
ERRORS = (ValueError, RecursionError, MemoryError, SystemExit, KeyboardInterrupt, QueueError, UnicodeError)


class CursedSession(Session):
    """A session whose calls of some scripts raise as long as there is an error."""

    scripts = ("beat", "name_schedules", "mend", "sample")
    error: type[BaseException] | None = None
    calls = 0

    def call(self, call, **options):
        if call.script in self.scripts:
            self.calls += 1
            if self.error:
                raise self.error("cursed")
        return super().call(call, **options)


class Raising(logging.Handler):
    """A log handler of the project that is broken."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the log is full")


@pytest.fixture
def cursed(redis_connection) -> QueueClient:
    client = QueueClient(redis_connection)
    client.session = CursedSession(redis_connection)
    client.create_queue("work")
    return client


@pytest.fixture
def broken_log() -> Iterator[None]:
    logger, handler = logging.getLogger("queueing"), Raising()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.fixture
def keeper(cursed, redis_server, monkeypatch) -> Iterator[Keeper]:
    config = Config(URL=redis_server.url, LEASE=2, QUEUES=["work"], WORKER_NAME="w", queues=("work",))
    memory = SharedMemory(1, 1, ("work",))
    orders, other_end = os.pipe()
    monkeypatch.setattr("queueing.worker.keeper.connect", lambda *_, **__: cursed)
    made = Keeper(config, memory=memory, orders=orders, waker=Waker(), new_queues=Waker(), birth=Birth())
    yield made
    os.close(orders)
    os.close(other_end)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
class TestEachWorkContinuesAfterAnError:
    def test_the_scheduler(self, cursed, error, broken_log):
        cursed.session.error = error
        scheduler = Scheduler(cursed, [every(3600)])
        assert 0 < scheduler.step(monotonic()) <= 15
        cursed.session.error = None
        scheduler.step(monotonic())
        assert [state.name for state in store.schedules(cursed.session)] == ["report"]

    def test_the_sweeper(self, cursed, error, broken_log):
        sweeper, later = Sweeper(cursed, ["work"]), count(monotonic() + 2 * EVERY_SECONDS, 2 * EVERY_SECONDS)
        cursed.session.error = error
        while sweeper.step(next(later)) < 1:
            pass
        cursed.session.error = None
        cursed.redis.zadd("rsmq:work", {"0" * 32: 0})
        while sweeper.step(next(later)) < 1:
            pass
        assert cursed.redis.zcard("rsmq:work") == 0

    def test_the_heartbeat_and_the_sampler(self, keeper, cursed, error, broken_log):
        cursed.session.error = error
        assert 0 < keeper.step(monotonic()) <= keeper.turn_seconds
        assert read_workers(cursed.session) == []
        cursed.session.error = None
        eventually(lambda: keeper.step(monotonic()) and read_workers(cursed.session))

    def test_the_recorder(self, cursed, error, broken_log, monkeypatch):
        def write(outcomes):
            raise error("cursed")

        cursed.cancel_message("work", cursed.send_message("work", "x"))
        recorder = Recorder(cursed, Config(), name="one")
        with monkeypatch.context() as patch:
            patch.setattr("queueing.history.writer.write", write)
            assert 0 < recorder.step(monotonic()) <= 15
        while recorder.step(monotonic()) < 1:
            pass
        assert cursed.redis.xlen("rsmq::outbox") == 0


def test_a_thread_lives_through_any_error(cursed):
    """In a real thread: the loop around the turns is guarded, too."""
    scheduler = Scheduler(cursed, [every(3600)])
    cursed.session.error = SystemExit
    ended = threading.Event()
    with in_thread(partial(scheduler.run, ended), end=ended.set) as running:
        eventually(lambda: cursed.session.calls >= 2)
        cursed.session.error = None
        eventually(lambda: store.schedules(cursed.session))
        assert running.running()


def test_one_queue_that_cannot_be_swept_leaves_the_others(client):
    for name in ("a", "b"):
        client.create_queue(name)
    client.redis.set("rsmq:a", "x")
    client.redis.zadd("rsmq:b", {"0" * 32: 0})
    sweeper, later = Sweeper(client, ["a", "b"]), count(monotonic() + 2 * EVERY_SECONDS, 2 * EVERY_SECONDS)
    while sweeper.step(next(later)) < 1:
        pass
    assert client.redis.zcard("rsmq:b") == 0


class TestTheGuard:
    def fail(self, guard: Guard, error: BaseException, turns: int = 5) -> list[float]:
        def work() -> float:
            raise error

        return [guard.turn(work) for _ in range(turns)]

    def test_an_error_is_reported_once_per_kind(self, caplog):
        guard = Guard("sweeper")
        self.fail(guard, ValueError("1"))
        self.fail(guard, ValueError("2"))
        self.fail(guard, QueueError("a"))
        self.fail(guard, QueueError("b"))
        assert [record.getMessage() for record in logged_here(caplog)] == [
            "sweeper: 1",
            "sweeper: a",
            "sweeper: b",
        ]

    def test_an_error_that_stays_is_reported_again_after_a_while(self, caplog, monkeypatch):
        clock = Clock()
        guard = Guard("sweeper", clock=clock.monotonic)
        self.fail(guard, ValueError("1"))
        clock.sleep(REPORT_SECONDS + 1)
        self.fail(guard, ValueError("1"))
        assert len(logged_here(caplog)) == 2

    def test_it_backs_off_and_begins_again_after_success(self):
        guard = Guard("sweeper", max_pause_seconds=3)
        pauses = self.fail(guard, ValueError())
        assert pauses[0] <= 0.5 < pauses[2]
        assert pauses[-1] <= 3
        assert guard.turn(lambda: 7.0) == 7.0
        assert self.fail(guard, ValueError(), 1)[0] <= 0.5
