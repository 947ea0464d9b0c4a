"""Redis' clock, estimated from the last replies of Redis and from the time that has passed since then."""

import time
from collections.abc import Callable
from math import inf

#: A function that returns the seconds of a monotonic clock.
Clock = Callable[[], float]

#: If the time in a reply is further behind the estimate than this, Redis' clock was set back. If it is less
#: far behind, the reply was slow.
STEP_MS = 1000.0
#: The part of the elapsed time by which the estimate falls back between replies, so that it can follow a
#: Redis clock that is slower than this machine's clock.
SLEW = 0.001


class ServerClock:
    """Estimates the time of Redis' clock, in ms since 1970. The wall clock of this machine is not used.

    A reply arrives some time after Redis has read its clock, and this delay is unknown. The best estimate is
    therefore the one that is furthest ahead. A slow reply does not turn the clock back, so no job ends before
    it has begun.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._offset_ms, self._set_at_ms = -inf, 0.0

    def set(self, now_ms: float) -> None:
        """Correct the estimate by ``now_ms``, the time in a reply that has just arrived."""
        here_ms = self._here_ms()
        read_ms = now_ms - here_ms
        kept_ms = self._offset_ms - SLEW * (here_ms - self._set_at_ms)
        self._offset_ms = read_ms if read_ms < kept_ms - STEP_MS else max(read_ms, kept_ms)
        self._set_at_ms = here_ms

    def now_ms(self) -> float:
        return self._here_ms() + (self._offset_ms if self._set_at_ms else 0.0)

    def _here_ms(self) -> float:
        return self._clock() * 1000
