"""The threads of a child: they take deliveries in order, run them, and keep the outcomes."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from queueing.broker.leases import Delivery
from queueing.broker.outcomes import Outcome, State

from .lead import Lead, wait
from .processes import end_if_fork
from .processor import Processor
from .server_clock import Clock
from .shared_memory import Slot
from .waker import Waker


class ThreadPool:
    """Runs deliveries in threads. Only the thread that leads the child calls the public methods.

    ``waker`` wakes the consumer when a job has ended and few deliveries wait, so that the consumer sends its
    next claim while other jobs still run.
    """

    def __init__(
        self, threads: int, processor: Processor, slot: Slot, waker: Waker, clock: Clock = time.monotonic
    ) -> None:
        self.threads, self._processor, self._slot, self._waker = threads, processor, slot, waker
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._finished: deque[Outcome] = deque()
        self.lead = Lead(self._waiting, waker)
        self._arrived = self.lead.changed
        self._is_wanted = False
        self._low_water = 0
        self._unfinished = 0
        self._last_start = self._clock()
        self._starts = [math.inf] * threads
        for index in range(threads):
            threading.Thread(target=self._live, args=(index,), name=f"handler {index}", daemon=True).start()

    @property
    def unfinished(self) -> int:
        """The number of deliveries that wait, run, or have an outcome that is not taken yet."""
        return self._unfinished

    @property
    def waiting(self) -> int:
        """The number of deliveries that have not started."""
        return len(self._waiting)

    @property
    def longest_seconds(self) -> float:
        """The seconds for which the longest run has lasted so far, minus infinity if nothing runs."""
        return self._clock() - min(self._starts)

    def is_stuck(self, seconds: float) -> bool:
        """Whether all threads are busy, and none of them has begun a delivery in the last ``seconds``."""
        running = self._unfinished - len(self._waiting) - len(self._finished)
        return running >= self.threads and self._clock() - self._last_start > seconds

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add ``deliveries`` behind those that already wait for a thread."""
        if not deliveries:
            return
        if not self._waiting:
            self._last_start = self._clock()
        self._low_water = len(deliveries) // 2
        self._unfinished += len(deliveries)
        # In one step: if a thread was woken for each delivery, it would compete with this thread each time.
        self._waiting.extend(deliveries)
        if not self.lead.is_lent:
            with self._arrived:
                self._arrived.notify(len(deliveries))

    def take_back(self) -> list[Delivery]:
        """Remove and return the deliveries that have not started."""
        taken: list[Delivery] = []
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        self._unfinished -= len(taken)
        return taken

    def take_finished(self) -> list[Outcome]:
        """Remove and return the outcomes of the deliveries that have ended."""
        taken = [self._finished.popleft() for _ in range(len(self._finished))]
        self._unfinished -= len(taken)
        return taken

    def want_wake_up(self) -> bool:
        """Request one wake-up of the consumer, as soon as a job has ended and few deliveries wait.

        Returns ``True`` if a job has ended and few deliveries wait already, so that no wake-up is needed.
        """
        self._is_wanted = True
        return bool(self._finished) and self.waiting <= self._low_water

    def _live(self, index: int) -> None:
        try:
            self._work(index)
        except BaseException as error:
            # Without the thread, the child would hold messages that nothing runs.
            self.lead.fail(error)

    def _work(self, index: int) -> None:
        mark, process = self._slot.marks[index], self._processor.process
        while True:
            delivery = self._next()
            self._starts[index] = self._last_start = self._clock()
            outcome = process(delivery, mark)
            end_if_fork()
            may_run_again = mark.may_run_again or outcome.event is State.RELEASED
            self._slot.add_ran(outcome.id, may_run_again=may_run_again)
            self._finished.append(outcome)
            mark.finish()
            self._starts[index] = math.inf
            if self._is_wanted and len(self._waiting) <= self._low_water:
                self._is_wanted = False
                self._waker.wake()

    def _next(self) -> Delivery:
        while True:
            try:
                return self._waiting.popleft()
            except IndexError:
                if self.threads == 1:
                    if self.lead.follow():
                        # This thread has led, and no other thread waits for a wake-up.
                        self._is_wanted = False
                    continue
                with self._arrived:
                    while not self._waiting:
                        wait(self._arrived)
