"""Redis' clock, estimated from the last replies of Redis and from the time that has passed since."""

import time
from collections.abc import Callable
from math import inf

#: Seconds on a monotonic clock.
Clock = Callable[[], float]

#: A reading that is further back than this is a clock that was set. Less is a reply that took its time.
STEP_MS = 1000.0
#: How fast the estimate gives way to later readings, so that it follows a clock that is slower than ours.
SLEW = 0.001


class ServerClock:
    """Milliseconds since 1970 by Redis' clock. The clock of this machine is not used.

    A reply is older than its arrival, by an unknown time. The best estimate is therefore the one that is
    furthest ahead. A slow reply does not turn the clock back, so no job ends before it has begun.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._offset_ms, self._set_at_ms = -inf, 0.0

    def set(self, now_ms: float) -> None:
        """Set the clock from a reply that has just arrived."""
        here_ms = self._here_ms()
        read_ms = now_ms - here_ms
        kept_ms = self._offset_ms - SLEW * (here_ms - self._set_at_ms)
        self._offset_ms = read_ms if read_ms < kept_ms - STEP_MS else max(read_ms, kept_ms)
        self._set_at_ms = here_ms

    def now_ms(self) -> float:
        return self._here_ms() + (self._offset_ms if self._set_at_ms else 0.0)

    def _here_ms(self) -> float:
        return self._clock() * 1000
