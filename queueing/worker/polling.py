"""Decides which queue a child claims from, how many messages, and how long it waits in an outage of Redis."""

import logging
import math
import random
import time
from collections.abc import Mapping, Sequence

from queueing.broker.keys import low_priority_queue
from queueing.broker.leases import Look
from queueing.broker.pubsub import POLL_SECONDS

from .server_clock import Clock

logger = logging.getLogger("queueing.worker")

#: If a call for a queue fails, the queue is skipped for this time.
BROKEN_SECONDS = 5.0

#: The time between two looks (checks of all queues for due messages) of a busy child, and the time that is
#: added for each queue. So looks take only a small part of Redis' time with any number of queues.
LOOK_SECONDS, LOOK_SECONDS_EACH = 0.1, 0.002

#: For at most this time, looks skip a queue whose messages a limit or a pause holds back.
HELD_BACK_SECONDS = 1.0

#: Polls are more frequent after a poll has found an unannounced message. The pause before the next poll is
#: then this fraction of the time since the message was found, but at least ``FAST_POLL_SECONDS``. So if such
#: messages are sent at regular intervals, each waits only for a small part of one interval.
FAST_POLL_PART, FAST_POLL_SECONDS = 0.05, 0.2

#: How many seconds of work each thread prefetches.
PREFETCH_SECONDS = 0.1
MAX_IN_HAND = 200
#: The most messages of one claim, with any number of threads.
MAX_CLAIM = 1000

MAX_PAUSE_SECONDS = 2.0
#: After an outage that may have lasted longer than half a lease, a child waits this long before it claims, so
#: that every worker can first extend its leases. If Redis is down when a worker starts, the worker does not
#: know how long the outage has lasted, so it waits, too.
COURTESY_SECONDS = 2.0
#: A child checks that Redis accepts writes at least once in this fraction of the time of a lease. So it
#: notices every outage that lasts long enough for a lease of another worker to end.
CONTACT = 0.45


class QueueRotation:
    """Chooses the queue of the next claim: the queues with due messages take turns or, with ``strict``, the
    first of them in the list is chosen.

    Each claim is one turn. In each round, a queue has as many turns as its weight. Low-priority queues have
    turns only while no other queue has due messages. If no queue at all has due messages, the rotation is
    idle until a message is announced or becomes due, or until the next poll.
    """

    def __init__(
        self,
        queues: Sequence[str],
        clock: Clock = time.monotonic,
        *,
        weights: Mapping[str, int] | None = None,
        strict: bool = False,
    ) -> None:
        self._queues, self._clock, self._is_strict = list(queues), clock, strict
        self.siblings = {low_priority_queue(queue) for queue in queues} & set(queues)
        weights = weights or {}
        # Each turn of a queue costs its stride, and the queue that has paid least is next.
        round_cost = math.lcm(*weights.values())
        self._strides = {queue: round_cost // weights.get(queue, 1) for queue in queues}
        self._paid = dict.fromkeys(queues, 0)
        self._last_paid = 0
        self._places = {queue: place for place, queue in enumerate(queues)}
        #: The number of the last turn of each queue. If several have paid least, the lowest number is next.
        self._turns = {queue: place - len(self._queues) for queue, place in self._places.items()}
        self._turn = 0
        self._due_at: dict[str, float] = {}
        self._next_due_at = math.inf
        self._broken_until: dict[str, float] = {}
        self._held_back_until: dict[str, float] = {}
        self._ready: set[str] = set()
        self._queue, self._is_chosen = self._queues[0], False
        self._look_at = 0.0
        self._has_looked = False
        self._pace = PollPace(clock)
        #: The queues that have a turn only because of a poll: none of their messages was announced.
        self._polled: set[str] = set()
        self.begin()

    @property
    def queue(self) -> str:
        """The queue of the next claim. While the rotation is idle, the queue of the last claim."""
        if not self._is_chosen and self._ready:
            self._queue, self._is_chosen = min(self._ready, key=self._rank), True
            self._last_paid = max(self._last_paid, self._paid[self._queue])
        return self._queue

    @property
    def claimable(self) -> str | None:
        """The queue from which messages may be claimed now, ``None`` if there is no such queue.

        It is ``queue``, unless that queue is skipped because of an error. While the rotation is idle, it is
        any queue that is neither skipped nor a low-priority queue.
        """
        if not self.is_idle:
            return None if self.is_broken(self.queue) else self.queue
        fit = [queue for queue in (self._queue, *self._queues) if queue not in self.siblings]
        return next((queue for queue in fit if not self.is_broken(queue)), None)

    def _rank(self, queue: str) -> tuple[int, ...]:
        is_last = queue in self.siblings
        if self._is_strict:
            return (is_last, self._places[queue])
        return (is_last, self._paid[queue], self._turns[queue])

    @property
    def is_idle(self) -> bool:
        return not self._ready

    @property
    def idle_seconds(self) -> float:
        """The seconds until a message may be due, 0 while the rotation is not idle."""
        return max(0.0, min(self._poll_at, self._next_due_at) - self._clock()) if self.is_idle else 0.0

    @property
    def is_look_due(self) -> bool:
        """Whether to check all queues for due messages before the next claim."""
        if len(self._queues) == 1 or self.is_idle:
            return False
        # A more urgent queue must not wait for this one.
        is_later = self.queue in self.siblings or (self._is_strict and self._places[self.queue] > 0)
        return self._is_unknown or (is_later and not self._has_looked) or self._clock() >= self._look_at

    def begin(self) -> None:
        """Give every queue a turn, because any of them may have a due message."""
        for queue in self._queues:
            self.announce(queue)
        self._is_unknown = True
        self._poll_later()

    def begin_if_due(self) -> None:
        """Give a turn to the queues with a message that has become due, or to all queues if a poll is due.
        Skip queues with errors.
        """
        now = self._clock()
        if self.is_idle and now >= self._poll_at:
            self.begin()
            self._polled = set(self._queues)
        if now >= self._next_due_at:
            for queue in [queue for queue, at in self._due_at.items() if at <= now]:
                self.announce(queue)
        while not self.is_idle and self.is_broken(self.queue):
            self._leave(self.queue)

    def announce(self, queue: str) -> None:
        """Give ``queue`` a turn, because it may have a due message."""
        self._polled.discard(queue)
        self._held_back_until.pop(queue, None)
        self._enter(queue)

    def took(self, queue: str, count: int) -> None:
        """Record that a claim has taken ``count`` messages of ``queue``."""
        if count and queue in self._polled:
            self._polled.discard(queue)
            self._pace.found()
            self._poll_later()

    def _enter(self, queue: str) -> None:
        if queue not in self._paid:
            return
        if self.is_idle:
            self._look_later()
        if queue not in self._ready:
            self._ready.add(queue)
            # A queue saves up no turns while it has no due message.
            self._paid[queue] = max(self._paid[queue], self._last_paid)
            self._is_chosen = False
        self._set_due(queue, math.inf)

    def has_more(self, queue: str) -> None:
        """End the turn of ``queue``, and give it another one, because more of its messages are due."""
        self._pay(queue)
        self._enter(queue)

    def has_no_more(
        self, queue: str, next_due_seconds: float | None = None, *, held_back: bool = False
    ) -> None:
        """End the turn of ``queue``, because no further message can be claimed now. The next message is due
        in ``next_due_seconds``, ``None`` if none is known.

        ``held_back`` is true if messages are due, but must wait because of a limit or a pause.
        """
        if held_back:
            self._held_back_until[queue] = self._clock() + HELD_BACK_SECONDS
        self._pay(queue)
        self._leave(queue, next_due_seconds)
        if len(self._queues) == 1:
            self._poll_later()

    def looked(self, looks: Sequence[Look]) -> None:
        """Update the rotation after a check of some or all queues. ``looks`` is empty if the check failed."""
        if len(looks) == len(self._queues) or not looks:
            self._is_unknown, self._has_looked = False, True
            self._poll_later()
            self._look_later()
        for found in looks:
            is_held_back = self._clock() < self._held_back_until.get(found.queue, 0.0)
            if (found.is_due and not is_held_back) or (found.is_missing and found.queue not in self.siblings):
                self._enter(found.queue)
            else:
                self._leave(found.queue, found.next_due_seconds)

    def comes_due(self, queue: str, seconds: float) -> None:
        """Record that a settled message of ``queue`` is due again in ``seconds``."""
        at = self._clock() + seconds
        self._set_due(queue, min(at, self._due_at.get(queue, at)))

    def breaks(self, queue: str) -> None:
        """Skip ``queue`` for ``BROKEN_SECONDS``: its calls fail, and other queues must not wait for it."""
        self._broken_until[queue] = self._clock() + BROKEN_SECONDS

    def is_broken(self, queue: str) -> bool:
        return bool(self._broken_until) and self._clock() < self._broken_until.get(queue, 0.0)

    def _pay(self, queue: str) -> None:
        self._turn += 1
        self._turns[queue] = self._turn
        self._paid[queue] = max(self._paid[queue], self._last_paid) + self._strides[queue]
        self._is_chosen = self._has_looked = False

    def _leave(self, queue: str, due_seconds: float | None = None) -> None:
        self._ready.discard(queue)
        self._polled.discard(queue)
        self._is_chosen = False
        # If a message is due later than the next poll, a poll finds it in time. Most such due times are the
        # ends of leases, which workers extend before they end.
        seconds = math.inf if due_seconds is None or due_seconds >= POLL_SECONDS else due_seconds
        self._set_due(queue, self._clock() + seconds)

    def _poll_later(self) -> None:
        self._poll_at = self._clock() + self._pace.seconds

    def _look_later(self) -> None:
        self._look_at = self._clock() + LOOK_SECONDS + len(self._queues) * LOOK_SECONDS_EACH

    def _set_due(self, queue: str, at: float) -> None:
        before = self._due_at.get(queue, math.inf)
        if at != before:
            self._due_at[queue] = at
            self._next_due_at = at if at < self._next_due_at else min(self._due_at.values())


class PollPace:
    """Decides how often an idle child polls.

    Most messages are announced on a channel, so polls are rare. RSMQ's own senders do not announce messages
    by default. So after a poll has found an unannounced message, the child polls more often for a while.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock, self._found_at = clock, -math.inf

    def found(self) -> None:
        """Record that a poll has found an unannounced message."""
        self._found_at = self._clock()

    @property
    def seconds(self) -> float:
        """The seconds until the next poll."""
        since_seconds = self._clock() - self._found_at
        return min(POLL_SECONDS, max(FAST_POLL_SECONDS, FAST_POLL_PART * since_seconds))


class Prefetch:
    """Decides how many messages a child claims: one per thread if its jobs are slow, else more."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._average_seconds = PREFETCH_SECONDS

    def ran(self, seconds: float) -> None:
        """Learn from the duration of one run. A slow run counts more than a fast one."""
        weight = 0.5 if seconds > self._average_seconds else 0.2
        self._average_seconds += weight * (seconds - self._average_seconds)

    def room(self, in_hand: int, *, most: float = MAX_CLAIM) -> int:
        """The number of messages to claim, at most ``most``, while the child holds ``in_hand`` messages."""
        # The quotient is rounded, not cut off. So a thread whose jobs take a little more than half of
        # ``PREFETCH_SECONDS`` gets two messages: one to run, and one in reserve.
        per_thread = max(1, round(PREFETCH_SECONDS / max(self._average_seconds, 1e-6)))
        wanted = min(self.threads * per_thread, max(self.threads, MAX_IN_HAND)) - in_hand
        return int(max(0, min(wanted, most, MAX_CLAIM)))


class RedisOutage:
    """Tracks outages, in which Redis does not answer or refuses writes.

    With ``logs``, a warning is logged when an outage begins and when it ends. During an outage, the pauses
    between calls grow. After a long outage, the child waits before it claims, so that other workers can first
    extend their leases.
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
        """The seconds until the next claim is allowed after an outage, 0 if it is allowed now."""
        return max(0.0, self._courtesy_until - self._clock())

    @property
    def is_on(self) -> bool:
        return self._since is not None

    @property
    def has_contact(self) -> bool:
        """Whether Redis has accepted a write of this child since the child's start."""
        return self._accepted > -math.inf

    @property
    def is_contact_due(self) -> bool:
        """Whether to check that Redis accepts writes, because the last accepted write is too long ago."""
        return self._clock() - self._accepted >= self.contact_seconds

    def accepted(self) -> None:
        """Record that Redis has accepted a write."""
        self._accepted = self._clock()

    def continues(self, error: Exception) -> float:
        """Record a failed call. Returns the seconds to wait before the next call."""
        if self._since is None:
            self._since, self._pause_seconds = self._clock(), 0.05
            logger.log(self._level, "%s; waiting for it", error)
        self._pause_seconds = min(self._pause_seconds * 2, MAX_PAUSE_SECONDS)
        return self._pause_seconds * random.uniform(0.5, 1.0)

    def ends(self) -> None:
        """Record that Redis accepts writes again."""
        now = self._clock()
        logger.log(self._level, "Redis is back after %.1f s", now - (self._since or now))
        self._since = None
        if now - self._accepted > self._lease_seconds / 2:
            self._courtesy_until = now + COURTESY_SECONDS
        self._accepted = now
