"""The time for which the machine stood still, so that a test of a promised time can allow for it."""

import threading
import time
from types import TracebackType

from .waiting import eventually

#: Seconds between two readings of the clock.
PAUSE_SECONDS = 0.05
#: The machine has stalled if a thread that only sleeps continues later than this.
STALL_SECONDS = 0.3


class Stalls:
    """Notes the stalls of the machine while the block runs.

    A virtual machine may stand still for seconds, with all of its processes. No promise of this project
    covers that time. A thread that only sleeps notices it, because it continues too late.
    """

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []
        self._read_at = time.time()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def __enter__(self) -> "Stalls":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(PAUSE_SECONDS):
            now = time.time()
            if now - self._read_at - PAUSE_SECONDS > STALL_SECONDS:
                self._found.append((self._read_at + PAUSE_SECONDS, now))
            self._read_at = now

    def seconds(self, since: float, until: float) -> float:
        """The seconds of stalls between two moments of ``time.time()``."""
        eventually(lambda: self._read_at > until, what="the watch has seen the end")
        return sum(max(0.0, min(end, until) - max(start, since)) for start, end in self._found)

    def awake(self, since: float, until: float) -> float:
        """The seconds between two moments of ``time.time()``, without those of stalls."""
        return until - since - self.seconds(since, until)
