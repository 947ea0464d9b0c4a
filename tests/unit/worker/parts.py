"""A child without its process: its parts, turned by the test."""

import threading
import time
from collections.abc import Callable
from typing import Any

from queueing.broker.pubsub import Listener
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.worker.child import JobRuntime
from queueing.worker.consumer import Consumer
from queueing.worker.logging import OutcomeLog
from queueing.worker.polling import RedisOutage
from queueing.worker.processor import Processor
from queueing.worker.server_clock import ServerClock
from queueing.worker.shared_memory import SharedMemory
from queueing.worker.standby import Standby
from queueing.worker.thread_pool import ThreadPool
from queueing.worker.waker import Waker, readable
from tests.support.waiting import eventually


class Child:
    """The parts of a child on some queues."""

    def __init__(
        self,
        client: QueueClient,
        *queues: str,
        threads: int = 1,
        clock=time.monotonic,
        name: str = "child",
        **config: Any,
    ) -> None:
        server_clock = ServerClock()
        self.clock = clock
        self.slot = SharedMemory(1, threads, queues).slots[0]
        processor = Processor(JobRuntime(client, "child"), max_attempts=5, now_ms=server_clock.now_ms)
        self.pool = ThreadPool(threads, processor, self.slot, Waker(), clock)
        own = "" if config.get("burst") else client.keys.channel_of_child(name)
        self.listener = Listener(client.session, queues, own=own)
        self.consumer = Consumer(
            client,
            Config(LEASE=30, **config),
            child=name,
            queues=queues,
            pool=self.pool,
            slot=self.slot,
            standby=Standby(client.session, queues, self.listener, clock),
            server_clock=server_clock,
            log=OutcomeLog(log_jobs=False),
            outage=RedisOutage(30, logs=True, clock=clock),
            clock=clock,
        )

    def turn_until(self, check: Callable[[], bool]) -> None:
        """Turn it as its process does, but without sleeping for longer than a moment."""

        def turned() -> bool:
            pause_seconds = self.consumer.step(self.clock())
            socket, wait_seconds = self.listener.fileno(), min(pause_seconds, 0.02)
            if not self.consumer.wants_announcements or socket < 0:
                threading.Event().wait(wait_seconds)
            elif readable([socket], wait_seconds):
                self.consumer.wake()
            return check()

        eventually(turned, every_seconds=0.0)

    def turn(self, times: int) -> float:
        """Turn it a number of times. Returns how long it would wait then."""
        return [self.consumer.step(self.clock()) for _ in range(times)][-1]

    def finish(self) -> None:
        self.consumer.quiet()
        self.turn_until(lambda: self.consumer.is_drained)
        self.listener.close()
