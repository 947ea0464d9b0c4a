"""How a consumer behaves while Redis is away or refuses writes.

It logs that once, backs off, and lets others go first afterwards.
"""

import logging
import math
import random
import time

from queueing.broker.subscription import POLL_SECONDS

logger = logging.getLogger("queueing.worker")

MAX_PAUSE_SECONDS = 2.0
#: After an outage that may have been longer than half a lease, every worker first gets the chance to extend
#: its own. A worker that has just started counts as one that has waited.
COURTESY_SECONDS = 2.0
#: The part of a lease within which a child proves that Redis takes its writes, so that no outage in which
#: a lease of another worker ends is unnoticed.
CONTACT = 0.45


class Outage:
    """The present outage, if there is one."""

    def __init__(self, lease_seconds: float, *, is_teller: bool) -> None:
        self._lease_seconds = lease_seconds
        self.contact_seconds = min(POLL_SECONDS, CONTACT * lease_seconds)
        self._level = logging.WARNING if is_teller else logging.DEBUG
        self._since: float | None = None
        self._accepted = -math.inf
        self._pause_seconds = 0.0
        self._courtesy_until = 0.0

    @property
    def courtesy_seconds(self) -> float:
        """For how long nothing may be claimed yet."""
        return max(0.0, self._courtesy_until - time.monotonic())

    @property
    def is_on(self) -> bool:
        return self._since is not None

    @property
    def is_contact_due(self) -> bool:
        """Whether the last accepted write is so long ago that an outage may have begun since."""
        return time.monotonic() - self._accepted >= self.contact_seconds

    def accepted(self) -> None:
        """Redis has taken a write: there is no outage at this moment."""
        self._accepted = time.monotonic()

    def goes_on(self, error: Exception) -> float:
        """A call failed. Seconds to wait before the next one."""
        if self._since is None:
            self._since, self._pause_seconds = time.monotonic(), 0.05
            logger.log(self._level, "%s; waiting for it", error)
        self._pause_seconds = min(self._pause_seconds * 2, MAX_PAUSE_SECONDS)
        return self._pause_seconds * random.uniform(0.5, 1.0)

    def ends(self) -> None:
        """Redis takes writes again."""
        now = time.monotonic()
        logger.log(self._level, "Redis is back after %.1f s", now - (self._since or now))
        self._since = None
        if now - self._accepted > self._lease_seconds / 2:
            self._courtesy_until = now + COURTESY_SECONDS
        self._accepted = now
