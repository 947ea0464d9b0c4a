"""Keeps the threads of the keeper running: an error ends one iteration of a loop, but not the thread.

Any error can occur in these threads. Redis and the database are shared with other programs, and code of the
project runs here, too: receivers of signals, bodies of schedules and log handlers.
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

#: The first pause after an error, and the longest pause.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 15.0
#: An error of the same kind is reported again after this time.
REPORT_SECONDS = 600.0
#: The most kinds of errors that are remembered. Error texts count as kinds, and may all differ.
MAX_KINDS = 100


class Guard:
    """Guards one kind of work: logs each kind of error once in ``REPORT_SECONDS``, and backs off while errors
    continue.
    """

    def __init__(
        self, name: str, *, max_pause_seconds: float = MAX_PAUSE_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self.name, self._clock = name, clock
        self._max_pause_seconds = max_pause_seconds
        self._failures = 0
        self._again_at = -math.inf
        self._reported: dict[str, float] = {}

    def turn(self, work: Callable[[], float]) -> float:
        """Call ``work``, which does one iteration of a loop. Errors are logged, and not raised.

        Returns the seconds that ``work`` returns or, after an error, the seconds of the back-off.
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
        """Call ``act``, unless the back-off after its last error still lasts.

        Returns the seconds until ``act`` can be tried again, or infinity if it succeeded.
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
        """Log an error, unless its kind was logged recently. A Redis outage is logged at level DEBUG only."""
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
    """Call ``step`` repeatedly until ``ended`` is set. ``step`` returns the seconds to its next call."""
    while not ended.is_set():
        try:
            ended.wait(step())
        except BaseException:
            # ``step`` is guarded. Only a lack of memory gets here.
            time.sleep(MIN_PAUSE_SECONDS)
