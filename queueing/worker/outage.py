"""How a consumer behaves while Redis is away: it says so once, backs off, and lets others go first."""

import logging
import math
import random
import time

logger = logging.getLogger("queueing.worker")

MAX_PAUSE_SECONDS = 2.0
#: After an outage that may have been longer than half a lease, every worker first gets the chance to extend
#: its own. An idle one notices late that Redis is away, and one that has just started knows of no answer.
COURTESY_SECONDS = 2.0


class Outage:
    """The present outage, if there is one."""

    def __init__(self, lease_seconds: float, *, is_teller: bool) -> None:
        self._lease_seconds = lease_seconds
        self._level = logging.WARNING if is_teller else logging.DEBUG
        self._since: float | None = None
        self._answered = -math.inf
        self._pause_seconds = 0.0
        self._courtesy_until = 0.0

    @property
    def courtesy_seconds(self) -> float:
        """For how long nothing may be claimed yet."""
        return max(0.0, self._courtesy_until - time.monotonic())

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def answered(self) -> None:
        """Redis has answered: it is not away, and was not until now."""
        self._answered = time.monotonic()

    def goes_on(self, error: Exception) -> float:
        """A call failed. Seconds to wait before the next one."""
        if self._since is None:
            self._since, self._pause_seconds = time.monotonic(), 0.05
            logger.log(self._level, "%s; waiting for it", error)
        self._pause_seconds = min(self._pause_seconds * 2, MAX_PAUSE_SECONDS)
        return self._pause_seconds * random.uniform(0.5, 1.0)

    def ends(self) -> None:
        """Redis answers again."""
        now = time.monotonic()
        logger.log(self._level, "Redis is back after %.1f s", now - (self._since or now))
        self._since = None
        if now - self._answered > self._lease_seconds / 2:
            self._courtesy_until = now + COURTESY_SECONDS
