"""The server's clock, told by what Redis said last and the time that has passed here since."""

import time


class ServerClock:
    """Milliseconds of Redis' TIME. The wall clock of this machine is never asked."""

    def __init__(self) -> None:
        self._offset_ms = 0.0

    def set(self, now_ms: float) -> None:
        """Redis has just said that it is ``now_ms``."""
        self._offset_ms = now_ms - time.monotonic() * 1000

    def now_ms(self) -> float:
        return time.monotonic() * 1000 + self._offset_ms
