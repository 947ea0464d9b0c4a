"""A child: a process in which messages run.

A child creates its parts, such as the consumer and the threads, and runs until it is ordered to stop.
"""

import logging
import sys
import time

import psutil
from django.db import connections

from queueing.broker.leases import Delivery
from queueing.broker.pubsub import Listener
from queueing.client import QueueClient
from queueing.client.default import connect, connect_all, use_client
from queueing.conf import Config, get_conf
from queueing.exceptions import QueueError
from queueing.signals import child_started, child_stopping, emit

from .consumer import Consumer
from .database import tend_after_receivers
from .logging import OutcomeLog
from .polling import RedisOutage
from .processes import RECYCLED, end_pools
from .processor import Processor
from .recalls import Recalls
from .runtime import DeliveryKey
from .server_clock import Clock, ServerClock
from .shared_memory import Recycle, Slot
from .standby import Standby
from .thread_pool import ThreadPool
from .waker import Waker, readable

logger = logging.getLogger("queueing.worker")

#: The switch interval of Python: a thread runs for this long before another waiting thread gets its turn. So
#: a busy handler blocks the thread that fetches messages for at most about this long. With Python's default
#: of 5 ms, a third fewer tiny jobs ran in a second.
SWITCH_SECONDS = 0.0005
#: How often the memory of a child is measured, if it has a limit.
MEASURE_SECONDS = 1.0
MEGABYTE = 1_000_000
#: The shortest time between two stored progress reports of one message, and the most characters of a note.
PROGRESS_SECONDS = 0.25
NOTE_CHARACTERS = 200
#: The highest number of requests to stop that are remembered.
STOPS_MAX = 1000

#: The reasons why a child is ordered to exit, in the words of the log.
REASONS = {
    Recycle.OVERDUE: "a message runs past its time limit or is to be stopped",
    Recycle.NEW_QUEUES: "its list of queues is longer now",
}


class Recycling:
    """Decides when a child is replaced: after ``MAX_JOBS`` messages, or above ``MAX_MEMORY`` megabytes."""

    def __init__(self, config: Config, clock: Clock = time.monotonic) -> None:
        self._max_jobs, self._max_bytes = config.MAX_JOBS, config.MAX_MEMORY * MEGABYTE
        self._clock = clock
        # The first measurement is not immediate. If even a new child exceeds the limit, each child still runs
        # for this long before it is replaced.
        self._measure_at = clock() + MEASURE_SECONDS
        self.reason = ""

    def is_due(self, taken: int) -> bool:
        """Whether the child must be replaced. ``taken`` is the number of messages that it has claimed."""
        if self._max_jobs and taken >= self._max_jobs:
            self.reason = f"it has taken {taken} messages"
        elif self._max_bytes and self._clock() >= self._measure_at:
            self._measure_at = self._clock() + MEASURE_SECONDS
            used = psutil.Process().memory_info().rss
            if used > self._max_bytes:
                self.reason = f"it uses {used / MEGABYTE:.0f} MB"
        return bool(self.reason)


class JobRuntime:
    """Implements ``queueing.context.Runtime`` for the jobs in one child."""

    def __init__(self, client: QueueClient, worker: str) -> None:
        self.worker = worker
        self.is_stopping = False
        self._client = client
        self._recalls = Recalls(client.session)
        self._reported_at: dict[str, float] = {}
        #: The reason of each request to stop a delivery.
        self._stops: dict[DeliveryKey, str] = {}

    def stop_reason(self, delivery: Delivery) -> str | None:
        key = delivery.queue, delivery.message.id, delivery.message.rc
        return self._stops.get(key) or self._recalls.reason(delivery)

    def stop(self, stops: dict[DeliveryKey, str]) -> list[DeliveryKey]:
        """Store the requests to stop deliveries, by delivery, with their reasons.

        Returns the deliveries for which no request was stored before.
        """
        new = [delivery for delivery in stops if delivery not in self._stops]
        if len(self._stops) > STOPS_MAX:
            # Forget all requests, because most of their deliveries have ended. For the deliveries that still
            # run, the keeper sends the order to stop again.
            self._stops = {}
        self._stops |= stops
        return new

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        now, id = time.monotonic(), delivery.message.id
        if fraction < 1 and now - self._reported_at.get(id, 0.0) < PROGRESS_SECONDS:
            return
        if len(self._reported_at) > 1000:
            self._reported_at.clear()
        self._reported_at[id] = now
        try:
            self._client.report_progress(
                delivery.queue, id, delivery.message.rc, fraction, note[:NOTE_CHARACTERS]
            )
        except QueueError:
            # The progress is dropped, because the job must not fail for it.
            return


class Child:
    """One child of a worker.

    ``orders`` is the read end of a pipe to which nothing is written. The child stops when the pipe is closed,
    which also happens if the supervisor dies. Through ``recorder_waker`` the child wakes the keeper, which
    records the outcomes.
    """

    def __init__(
        self, config: Config, *, name: str, index: int, slot: Slot, queues: list[str], orders: int,
        recorder_waker: Waker,
    ) -> None:  # fmt: skip
        self.config, self.orders, self.recorder_waker = config, orders, recorder_waker
        self.name, self.slot = name, slot
        self.recycling = Recycling(config)
        # A child has only two connections to Redis: all threads share one, and the other one listens. The
        # reason is that cheap plans of Redis hosts allow few connections.
        client = connect(config, connections=1)
        use_client(connect_all(get_conf(), client))
        self.waker = Waker()
        self.runtime = JobRuntime(client, name)
        self.consumer = self._build(client, queues, logs=index == 0)
        self._stop_by: float | None = None
        self._is_recycled = False
        self.consumer.pause(slot.is_quiet)

    def _build(self, client: QueueClient, queues: list[str], *, logs: bool) -> Consumer:
        config, clock = self.config, ServerClock()
        # A burst does not wait.
        own = "" if config.burst else client.keys.channel_of_child(self.name)
        listener = Listener(client.session, queues, own=own, logs_refusal=logs)
        self.processor = Processor(self.runtime, max_attempts=config.MAX_ATTEMPTS, now_ms=clock.now_ms)
        return Consumer(
            client,
            config,
            child=self.name,
            queues=queues,
            pool=ThreadPool(config.THREADS, self.processor, self.slot, self.waker),
            slot=self.slot,
            standby=Standby(client.session, queues, listener),
            server_clock=clock,
            log=OutcomeLog(log_jobs=config.LOG_JOBS),
            outage=RedisOutage(config.LEASE, logs=logs),
        )

    def run(self) -> int:
        """Run until an order to stop or, with ``--burst``, until no message is due. Returns the exit code:
        ``RECYCLED`` if a new child must replace this one, else 0.
        """
        sys.setswitchinterval(SWITCH_SECONDS)
        consumer = self.consumer
        emit(child_started, Child, worker=self.config.WORKER_NAME, child=self.name)
        tend_after_receivers()
        try:
            consumer.pool.lead.run(self._turn, self._is_over)
        except BaseException:
            # One of the jobs may have damaged this process: it may have closed all descriptors.
            self.slot.blame()
            raise
        consumer.log.flush(at_end=True)
        emit(child_stopping, Child, worker=self.config.WORKER_NAME, child=self.name)
        end_pools(self.config.GRACE)
        connections.close_all()
        return RECYCLED if self._is_recycled else 0

    def _turn(self) -> None:
        consumer = self.consumer
        pause_seconds = consumer.step(time.monotonic())
        if consumer.has_settled:
            consumer.has_settled = False
            self.recorder_waker.wake()
        if not self._is_recycled and self.recycling.is_due(consumer.taken):
            self._recycle(self.recycling.reason)
        runs_next = consumer.pool.lead.is_lent and consumer.pool.waiting
        if not self._is_over():
            # While messages arrive without a pause, orders are read all the same.
            self._wait(0.0 if runs_next else pause_seconds)

    def _is_over(self) -> bool:
        consumer = self.consumer
        if self.config.burst and consumer.found_all and not self._is_recycled:
            return True
        if self._stop_by is None:
            return self._is_recycled and consumer.is_drained
        # The supervisor ends the grace time. This is for a child whose supervisor has died.
        return consumer.is_drained or time.monotonic() > self._stop_by

    def _recycle(self, reason: str) -> None:
        logger.info("child %s makes room for a new one: %s", self.name, reason)
        self._is_recycled = True
        self.consumer.quiet()

    def _read_orders(self) -> None:
        """Read the orders of the supervisor and the keeper from shared memory, and follow them."""
        for delivery in self.runtime.stop(self.slot.read_stops()):
            self.processor.stop(delivery)
        if (reason := self.slot.recycle_reason) and not self._is_recycled:
            self._recycle(REASONS[reason])
        self.consumer.pause(self.slot.is_quiet)

    def _wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` for orders, wake-ups and announcements. With 0, orders are still read."""
        consumer = self.consumer
        listener = consumer.standby.listener
        sources = [self.slot.waker.fileno()]
        if self._stop_by is None:
            sources.append(self.orders)
        if seconds:
            # This iteration has handled these wake-ups. Another one so soon would claim only a few messages.
            self.waker.clear()
            if consumer.pool.want_wake_up() or consumer.pool.lead.is_wanted:
                seconds = 0.0
            sources.append(self.waker.fileno())
            if consumer.wants_announcements and listener.fileno() >= 0:
                sources.append(listener.fileno())
        ready = readable(sources, seconds)
        if self.waker.fileno() in ready:
            self.waker.clear()
        if self.slot.waker.fileno() in ready:
            self._read_orders()
        if self.orders in ready:
            self._stop_by = time.monotonic() + self.config.GRACE + 1
            self.runtime.is_stopping = True
            consumer.quiet()
        if listener.fileno() in ready:
            consumer.wake()
