"""How a child polls its queues: which one is next, how many messages it takes, and an outage of Redis."""

import logging
import math
import random
import time
from collections.abc import Sequence

from queueing.broker.pubsub import POLL_SECONDS

from .server_clock import Clock

logger = logging.getLogger("queueing.worker")

#: A queue on which a script fails is left alone for this time.
BROKEN_SECONDS = 5.0

#: Prefetched messages are a fraction of a second of work.
PREFETCH_SECONDS = 0.1
MAX_IN_HAND = 200
#: The most messages of one claim, at any number of threads.
MAX_CLAIM = 1000

MAX_PAUSE_SECONDS = 2.0
#: After an outage that may have been longer than half a lease, every worker first gets the chance to extend
#: its own. A worker that has just started counts as one that has waited.
COURTESY_SECONDS = 2.0
#: The part of a lease within which a child proves that Redis takes its writes, so that no outage in which
#: a lease of another worker ends is unnoticed.
CONTACT = 0.45


class QueueRotation:
    """The order of the queues: a round begins with the preferred one, and leaves each when nothing is due.

    At the end of a round the rotation is idle until a message is announced or comes due, or until the poll.
    """

    def __init__(self, queues: Sequence[str], clock: Clock = time.monotonic) -> None:
        self._queues, self._clock = list(queues), clock
        self._index = 0
        self._round_at = clock()
        self._due_at: dict[str, float] = {}
        self._broken_until: dict[str, float] = {}
        self.is_idle = False

    @property
    def queue(self) -> str:
        """The queue that is claimed from next."""
        return self._queues[self._index]

    @property
    def idle_seconds(self) -> float:
        """Seconds until the next round."""
        return max(0.0, self._round_at - self._clock()) if self.is_idle else 0.0

    def is_round_due(self, now: float) -> bool:
        """Whether it is time for a round, though nothing was announced."""
        return self.is_idle and now >= self._round_at

    def begin(self) -> None:
        """Begin a round, because a message may be due in any queue."""
        self._index, self.is_idle = 0, False

    def begin_if_due(self) -> None:
        """Begin a round if it is time for it, and pass over the queues that are broken."""
        if self.is_round_due(self._clock()):
            self.begin()
        for _ in self._queues:
            if not self.is_broken(self.queue) or self.is_idle:
                break
            self.has_no_more(self.queue)

    def has_no_more(self, queue: str, next_due_seconds: float | None = None) -> None:
        """Leave ``queue`` if it is the current one: nothing is due, or only after that many seconds."""
        now = self._clock()
        self._due_at[queue] = math.inf if next_due_seconds is None else now + next_due_seconds
        if queue != self.queue:
            return  # A new round has begun since the claim.
        if self._index + 1 < len(self._queues):
            self._index, self.is_idle = self._index + 1, False
            return
        self._index, self.is_idle = 0, True
        self._round_at = min([now + POLL_SECONDS, *self._due_at.values()])

    def comes_due(self, queue: str, seconds: float) -> None:
        """A message of ``queue`` comes due then, because it was settled so."""
        at = self._clock() + seconds
        self._due_at[queue] = min(at, self._due_at.get(queue, at))
        self._round_at = min(self._round_at, at)

    def breaks(self, queue: str) -> None:
        """Redis refuses calls on this queue: the others must not wait for it."""
        self._broken_until[queue] = self._clock() + BROKEN_SECONDS

    def is_broken(self, queue: str) -> bool:
        return bool(self._broken_until) and self._clock() < self._broken_until.get(queue, 0.0)


class Prefetch:
    """How many messages a child takes: it learns how long they run. Slow ones are taken one per thread."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._average_seconds = PREFETCH_SECONDS

    def ran(self, seconds: float) -> None:
        """Learn from one run. A slow one counts more than a fast one."""
        weight = 0.5 if seconds > self._average_seconds else 0.2
        self._average_seconds += weight * (seconds - self._average_seconds)

    def room(self, in_hand: int) -> int:
        """How many more to take, if ``in_hand`` messages wait or run."""
        # Rounded: a thread whose jobs take a little over half of the time needs one more in reserve.
        per_thread = max(1, round(PREFETCH_SECONDS / max(self._average_seconds, 1e-6)))
        wanted = min(self.threads * per_thread, max(self.threads, MAX_IN_HAND)) - in_hand
        return max(0, min(wanted, MAX_CLAIM))


class RedisOutage:
    """The present outage, if there is one: Redis is away or refuses writes.

    It is logged once by the child that ``logs``. Calls back off, and other workers go first afterwards.
    """

    def __init__(self, lease_seconds: float, *, logs: bool, clock: Clock = time.monotonic) -> None:
        self._lease_seconds, self._clock = lease_seconds, clock
        self.contact_seconds = min(POLL_SECONDS, CONTACT * lease_seconds)
        self._level = logging.WARNING if logs else logging.DEBUG
        self._since: float | None = None
        self._accepted = -math.inf
        self._pause_seconds = 0.0
        self._courtesy_until = 0.0

    @property
    def courtesy_seconds(self) -> float:
        """Seconds until the next claim is allowed."""
        return max(0.0, self._courtesy_until - self._clock())

    @property
    def is_on(self) -> bool:
        return self._since is not None

    @property
    def is_contact_due(self) -> bool:
        """Whether the last accepted write is so long ago that an outage may have begun since."""
        return self._clock() - self._accepted >= self.contact_seconds

    def accepted(self) -> None:
        """Redis has taken a write: there is no outage at this moment."""
        self._accepted = self._clock()

    def continues(self, error: Exception) -> float:
        """A call failed. Returns the seconds to wait before the next one."""
        if self._since is None:
            self._since, self._pause_seconds = self._clock(), 0.05
            logger.log(self._level, "%s; waiting for it", error)
        self._pause_seconds = min(self._pause_seconds * 2, MAX_PAUSE_SECONDS)
        return self._pause_seconds * random.uniform(0.5, 1.0)

    def ends(self) -> None:
        """Redis takes writes again."""
        now = self._clock()
        logger.log(self._level, "Redis is back after %.1f s", now - (self._since or now))
        self._since = None
        if now - self._accepted > self._lease_seconds / 2:
            self._courtesy_until = now + COURTESY_SECONDS
        self._accepted = now
