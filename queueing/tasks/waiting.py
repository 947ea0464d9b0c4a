"""The time for which a caller waits for a result."""

import math
import time

#: A lost announcement costs at most this time.
CHECK_SECONDS = 15.0


class Patience:
    """How long the wait for one result may still take."""

    def __init__(self, result_id: str, timeout: float | None) -> None:
        """Raises ``ValueError`` for a timeout that is negative or not a number."""
        if timeout is not None and not timeout >= 0:
            raise ValueError("timeout is a number of seconds from 0, or None.")
        self._id, self._timeout = result_id, timeout
        self._end = math.inf if timeout is None else time.monotonic() + timeout

    def seconds(self) -> float:
        """How long to wait until the next check. Raises ``TimeoutError`` at the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the task {self._id} has not ended within {self._timeout:g} s")
        return min(left, CHECK_SECONDS)
