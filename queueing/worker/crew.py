"""The threads of a child: they take deliveries in their order, run them and lay the outcomes down."""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable

from ..holdings import Delivery
from ..outcomes import Outcome
from .board import Slot
from .pipes import Bell
from .processor import Processor


class Crew:
    """Runs deliveries. All but the threads' own turn is called by the consumer's thread.

    ``bell`` rings when the consumer, who waits, is wanted.
    """

    def __init__(self, threads: int, processor: Processor, slot: Slot, bell: Bell) -> None:
        self.threads, self._processor, self._slot, self._bell = threads, processor, slot, bell
        self._waiting: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._finished: deque[Outcome] = deque()
        self._wanted = False
        self._unfinished = 0
        self._last_start = time.monotonic()
        for index in range(threads):
            threading.Thread(target=self._work, args=(index,), name=f"handler {index}", daemon=True).start()

    @property
    def unfinished(self) -> int:
        """How many deliveries wait or run."""
        return self._unfinished

    @property
    def waiting(self) -> int:
        """How many deliveries have not begun."""
        return self._waiting.qsize()

    def is_stuck(self, seconds: float) -> bool:
        """Whether deliveries wait, and none has begun for so long."""
        return self.waiting > 0 and time.monotonic() - self._last_start > seconds

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Run these after those that wait."""
        if not self._waiting.qsize():
            self._last_start = time.monotonic()
        for delivery in deliveries:
            self._unfinished += 1
            self._waiting.put(delivery)

    def take_back(self) -> list[Delivery]:
        """Those that have not begun; they will not."""
        taken: list[Delivery] = []
        while True:
            try:
                taken.append(self._waiting.get_nowait())
            except queue.Empty:
                self._unfinished -= len(taken)
                return taken

    def take_finished(self) -> list[Outcome]:
        """The outcomes since the last call."""
        taken = [self._finished.popleft() for _ in range(len(self._finished))]
        self._unfinished -= len(taken)
        return taken

    def listen(self) -> bool:
        """Ring the bell once, as soon as something has ended and nothing waits.

        Returns whether that is so already.
        """
        self._wanted = True
        return bool(self._finished) and not self.waiting

    def _work(self, index: int) -> None:
        slot, process = self._slot, self._processor.process
        while True:
            delivery = self._waiting.get()
            self._last_start = time.monotonic()
            slot.start(index, delivery.message.id.encode("utf-8", "surrogateescape"))
            self._finished.append(process(delivery))
            slot.finish(index)
            if self._wanted and not self._waiting.qsize():
                self._wanted = False
                self._bell.ring()
