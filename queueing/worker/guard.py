"""Keeps the threads of the keeper running: an error costs one turn of the work, but does not end the thread.

Any error can occur there: Redis and the database are shared with other programs, and the project's own code
(receivers of signals, bodies of schedules, log handlers) runs in these threads.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Callable

from queueing.exceptions import QueueError, QueueUnavailable

from .processes import end_if_fork
from .server_clock import Clock

logger = logging.getLogger("queueing.worker")

#: The first pause after an error, and the longest one.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 15.0
#: An error of the same kind is reported again after this time.
REPORT_SECONDS = 600.0
#: Kinds that are remembered: the texts of errors may differ without end.
MAX_KINDS = 100


class Guard:
    """Guards one kind of work: logs each kind of error once, and backs off while errors continue."""

    def __init__(
        self, name: str, *, max_pause_seconds: float = MAX_PAUSE_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self.name, self._clock = name, clock
        self._max_pause_seconds = max_pause_seconds
        self._failures = 0
        self._again_at = -math.inf
        self._reported: dict[str, float] = {}

    def turn(self, work: Callable[[], float]) -> float:
        """Do one turn of a loop.

        Returns the seconds that ``work`` returns, or the back-off after an error.
        """
        try:
            seconds = work()
            end_if_fork()
        except BaseException as error:
            end_if_fork(error)
            self.report(error)
            return self._back_off(error)
        self._failures = 0
        return seconds

    def attempt(self, act: Callable[[], None]) -> float:
        """Do one action, unless it failed a moment ago.

        Returns the seconds until it can be tried again; infinity if it succeeded.
        """

        def done() -> float:
            act()
            return math.inf

        wait_seconds = self._again_at - self._clock()
        if wait_seconds > 0:
            return wait_seconds
        seconds = self.turn(done)
        self._again_at = self._clock() + seconds if self._failures else -math.inf
        return seconds

    def report(self, error: BaseException) -> None:
        """Log an error, unless one of its kind was logged recently. Other code logs outages of Redis."""
        is_outage = isinstance(error, QueueUnavailable)
        kind = str(error) if isinstance(error, QueueError) else type(error).__name__
        now = self._clock()
        try:
            if is_outage:
                logger.debug("%s: %s", self.name, error)
            elif now - self._reported.get(kind, -math.inf) >= REPORT_SECONDS:
                if len(self._reported) >= MAX_KINDS:
                    self._reported.clear()
                self._reported[kind] = now
                is_expected = isinstance(error, QueueError)
                logger.error("%s: %s", self.name, error, exc_info=None if is_expected else error)
        except BaseException:
            # The project's own log handlers can raise, and memory can be short here, too.
            return

    def _back_off(self, error: BaseException) -> float:
        self._failures = min(self._failures + 1, 10)
        if isinstance(error, QueueUnavailable):
            return min(MIN_PAUSE_SECONDS, self._max_pause_seconds)
        pause_seconds = MIN_PAUSE_SECONDS * 2.0 ** (self._failures - 1)
        return min(pause_seconds, self._max_pause_seconds) * random.uniform(0.8, 1.0)


def run_until(ended: threading.Event, step: Callable[[], float]) -> None:
    """Call ``step`` repeatedly until ``ended`` is set, with the pauses (in seconds) that it returns."""
    while not ended.is_set():
        try:
            ended.wait(step())
        except BaseException:
            # ``step`` is guarded. Only a lack of memory gets here.
            time.sleep(MIN_PAUSE_SECONDS)
