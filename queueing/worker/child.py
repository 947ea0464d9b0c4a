"""The process in which messages run: it builds its parts, and turns them until it is told to stop."""

import logging
import sys
import time

from django.db import connections

from queueing.broker.listener import Listener
from queueing.client import QueueClient
from queueing.client.default import connect, use_client
from queueing.conf import Conf
from queueing.signals import child_started, child_stopping, emit

from .consumer import Consumer
from .database import tend_connections
from .forks import end_pools
from .logging import OutcomeLog
from .options import Options
from .outage import Outage
from .processes import RETIRED
from .processor import Processor
from .queues import Queues
from .retirement import Retirement
from .server_clock import ServerClock
from .shared_memory import Slot
from .thread_pool import Crew
from .waker import Bell, readable
from .workplace import ChildWorkplace

logger = logging.getLogger("queueing.worker")

#: How long a busy handler may keep the interpreter from the thread that fetches its next messages. With
#: Python's own 5 ms tiny jobs wait for each other: a third fewer of them ran in a second.
SWITCH_SECONDS = 0.0005


class Child:
    """One child of a worker.

    ``orders`` is the read end of a pipe on which nothing is ever said: its end is the order to stop,
    whether the supervisor closed it or died. ``recorder_bell`` tells the keeper that there is
    something to record.
    """

    def __init__(
        self,
        conf: Conf,
        options: Options,
        *,
        name: str,
        index: int,
        slot: Slot,
        queues: Queues,
        orders: int,
        recorder_bell: Bell,
    ) -> None:
        self.conf, self.options, self.orders, self.recorder_bell = conf, options, orders, recorder_bell
        self.name, self.slot, self.queues = name, slot, queues
        self.retirement = Retirement(options)
        # One connection for all threads and one that listens, so that small plans suffice.
        client = connect(conf, connections=1)
        use_client(client)
        self.bell = Bell()
        self.consumer = self._build(client, name, index, slot)
        self._stop_by: float | None = None
        self._retires = False
        self.consumer.pause(slot.is_quiet)

    def _build(self, client: QueueClient, name: str, index: int, slot: Slot) -> Consumer:
        clock = ServerClock()
        self.workplace = ChildWorkplace(client, name)
        processor = Processor(self.workplace, max_attempts=self.conf.MAX_ATTEMPTS, now_ms=clock.now_ms)
        return Consumer(
            client,
            self.conf,
            child=name,
            queues=list(self.queues),
            crew=Crew(self.options.threads, processor, slot, self.bell),
            slot=slot,
            listener=Listener(client, self.queues, is_teller=index == 0),
            clock=clock,
            log=OutcomeLog(log_jobs=self.options.log_jobs),
            outage=Outage(self.conf.LEASE, is_teller=index == 0),
            taken_max=self.options.max_jobs,
        )

    def run(self) -> int:
        """Work until told to stop, or in a burst until nothing is due. Returns the exit code."""
        sys.setswitchinterval(SWITCH_SECONDS)
        consumer = self.consumer
        emit(child_started, Child, worker=self.options.name, child=self.name)
        tend_connections()
        while not self._is_over():
            pause_seconds = consumer.step()
            if consumer.has_settled:
                consumer.has_settled = False
                self.recorder_bell.ring()
            if not self._retires and self.retirement.is_due(consumer.taken):
                self._retire(self.retirement.reason)
            if pause_seconds and not self._is_over():
                self._wait(pause_seconds)
        consumer.log.flush(at_end=True)
        emit(child_stopping, Child, worker=self.options.name, child=self.name)
        end_pools(self.conf.GRACE)
        connections.close_all()
        return RETIRED if self._retires else 0

    def _is_over(self) -> bool:
        consumer = self.consumer
        if self.options.burst and consumer.found_all and not self._retires:
            return True
        if self._stop_by is None:
            return self._retires and consumer.is_drained
        # The supervisor ends the grace time; this is for a child whose supervisor is gone.
        return consumer.is_drained or time.monotonic() > self._stop_by

    def _retire(self, reason: str) -> None:
        logger.info("child %s makes room for a new one: %s", self.name, reason)
        self._retires = True
        self.consumer.quiet()

    def _obey(self) -> None:
        """Look at what the supervisor and the keeper have ordered."""
        self.slot.bell.silence()
        if self.slot.retires and not self._retires:
            self._retire("a message runs past its time limit")
        self.consumer.pause(self.slot.is_quiet)
        self.consumer.take(self.queues)

    def _wait(self, seconds: float) -> None:
        consumer = self.consumer
        if consumer.crew.listen():
            return
        sources = [self.bell.fileno(), self.slot.bell.fileno()]
        if consumer.wants_to_hear and consumer.listener.fileno() >= 0:
            sources.append(consumer.listener.fileno())
        if self._stop_by is None:
            sources.append(self.orders)
        ready = readable(sources, seconds)
        if self.bell.fileno() in ready:
            self.bell.silence()
        if self.slot.bell.fileno() in ready:
            self._obey()
        if self.orders in ready:
            self._stop_by = time.monotonic() + self.conf.GRACE + 1
            self.workplace.is_stopping = True
            consumer.quiet()
        if consumer.listener.fileno() in ready:
            consumer.wake()
