"""The time limit of a wait for a result."""

import math
import time

#: The longest time between two checks of the result, because the Pub/Sub message about its end may be lost.
CHECK_SECONDS = 15.0


class Patience:
    """The remaining time of a wait for one result."""

    def __init__(self, result_id: str, timeout: float | None) -> None:
        """``timeout`` is in seconds, ``None`` for no limit.

        Raises ``ValueError`` if ``timeout`` is negative or NaN.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError("timeout is a number of seconds from 0, or None.")
        self._id, self._timeout = result_id, timeout
        self._end = math.inf if timeout is None else time.monotonic() + timeout

    def seconds(self) -> float:
        """The seconds to wait until the next check. Raises ``TimeoutError`` if no time is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the task {self._id} has not ended within {self._timeout:g} s")
        return min(left, CHECK_SECONDS)
