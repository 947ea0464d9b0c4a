"""The threads of a child: they take deliveries in their order, run them and lay the outcomes down."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from queueing.broker.leases import Delivery
from queueing.broker.outcomes import Outcome

from .forks import end_if_fork
from .processor import Processor
from .shared_memory import Slot
from .waker import Bell


class Crew:
    """Runs deliveries. All but the threads' own turn is called by the consumer's thread.

    ``bell`` rings when the consumer, who waits, is wanted: something has ended, and little is left to
    do, so that the next claim is under way while the rest runs.
    """

    def __init__(self, threads: int, processor: Processor, slot: Slot, bell: Bell) -> None:
        self.threads, self._processor, self._slot, self._bell = threads, processor, slot, bell
        self._waiting: deque[Delivery] = deque()
        self._finished: deque[Outcome] = deque()
        self._arrived = threading.Condition()
        self._wanted = False
        self._low_water = 0
        self._unfinished = 0
        self._last_start = time.monotonic()
        self._starts = [math.inf] * threads
        for index in range(threads):
            threading.Thread(target=self._work, args=(index,), name=f"handler {index}", daemon=True).start()

    @property
    def unfinished(self) -> int:
        """How many deliveries wait or run."""
        return self._unfinished

    @property
    def waiting(self) -> int:
        """How many deliveries have not begun."""
        return len(self._waiting)

    @property
    def longest_seconds(self) -> float:
        """For how long the longest delivery has been running."""
        return time.monotonic() - min(self._starts)

    def is_stuck(self, seconds: float) -> bool:
        """Whether every thread has been at the same delivery for so long: what waits would go on waiting."""
        running = self._unfinished - len(self._waiting) - len(self._finished)
        return running >= self.threads and time.monotonic() - self._last_start > seconds

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Run these after those that wait."""
        if not deliveries:
            return
        if not self._waiting:
            self._last_start = time.monotonic()
        self._low_water = len(deliveries) // 2
        self._unfinished += len(deliveries)
        # All at once: a thread that is woken for each would take turns with this one.
        self._waiting.extend(deliveries)
        with self._arrived:
            self._arrived.notify(len(deliveries))

    def take_back(self) -> list[Delivery]:
        """Those that have not begun; they will not."""
        taken: list[Delivery] = []
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        self._unfinished -= len(taken)
        return taken

    def take_finished(self) -> list[Outcome]:
        """The outcomes since the last call."""
        taken = [self._finished.popleft() for _ in range(len(self._finished))]
        self._unfinished -= len(taken)
        return taken

    def listen(self) -> bool:
        """Ring the bell once, as soon as something has ended and little waits.

        Returns whether that is so already.
        """
        self._wanted = True
        return bool(self._finished) and self.waiting <= self._low_water

    def _work(self, index: int) -> None:
        mark, process = self._slot.marks[index], self._processor.process
        while True:
            delivery = self._next()
            self._starts[index] = self._last_start = time.monotonic()
            outcome = process(delivery, mark)
            end_if_fork()
            self._finished.append(outcome)
            mark.finish()
            self._starts[index] = math.inf
            if self._wanted and len(self._waiting) <= self._low_water:
                self._wanted = False
                self._bell.ring()

    def _next(self) -> Delivery:
        while True:
            try:
                return self._waiting.popleft()
            except IndexError:
                with self._arrived:
                    while not self._waiting:
                        self._arrived.wait()
