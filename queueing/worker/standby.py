"""How an idle child waits until it is woken.

A claim that leaves the child with a free thread registers it as idle in Redis. A send removes one child from
this register and wakes it on its own channel, so one message wakes one child. Other programs publish only on
the channel of the queue. So of all idle children with the same queues, one also listens on the channels of
these queues. This child is called the ear. If a wake-up is lost, the message waits at most until another
child polls.
"""

import hashlib
import logging
import time
from collections.abc import Sequence

from queueing.broker.leases import NEVER, StandBy
from queueing.broker.pubsub import Listener
from queueing.broker.scripts import Call
from queueing.broker.session import Session
from queueing.exceptions import QueueError, QueueUnavailable

from .server_clock import Clock

logger = logging.getLogger("queueing.worker")

#: A child that has been busy without a pause for this long no longer listens to the channels of its queues.
BUSY_SECONDS = 1.0
#: How often an idle child registers itself again, because Redis may have lost the registration, and how often
#: it registers its queues again, which Redis keeps for an hour.
ENTRY_SECONDS, QUEUES_SECONDS = 60.0, 600.0


class Standby:
    """The registration of one child in Redis while it is idle."""

    def __init__(
        self, session: Session, queues: Sequence[str], listener: Listener, clock: Clock = time.monotonic
    ) -> None:
        self.session, self.queues, self.listener, self.clock = session, list(queues), listener, clock
        text = "\n".join(sorted(queues)).encode()
        self._digest = hashlib.sha256(text).hexdigest()[:16]
        self.is_entered = self.is_ear = False
        self._entry_until = self._queues_until = self._off_until = 0.0
        self._busy_since: float | None = None

    @property
    def wants_entry(self) -> bool:
        """Whether the child must be registered: it can be woken, but its registration is missing or old."""
        return self._is_on and not (self.is_entered and self.clock() < self._entry_until)

    @property
    def _is_on(self) -> bool:
        return self.listener.is_open and self.clock() >= self._off_until

    def terms(self, free_threads: int) -> StandBy:
        """The arguments by which a claim registers the child as idle, ``NEVER`` if it cannot be woken."""
        return (self.listener.own, self._digest, free_threads) if self._is_on else NEVER

    def entered(self, word: str) -> str | None:
        """Store whether a claim has registered the child as idle.

        ``word`` is the value of ``standing`` in the ``Batch`` that the claim has returned. Returns a queue in
        which a message waits for an idle child, or ``None``.
        """
        self.is_entered = word in ("idle", "ear")
        if self.is_entered:
            self.is_ear = word == "ear"
            self._entry_until = self.clock() + ENTRY_SECONDS
        if word == "unknown":
            self._queues_until = 0.0
        return word[1:] if word.startswith("=") else None

    def enter_queues(self) -> bool:
        """Store in Redis from which queues the child takes messages, unless this was done recently.

        Returns whether they were stored. If so, the caller must check for messages that were sent earlier.
        Raises ``QueueUnavailable``.
        """
        if not self._is_on or self.clock() < self._queues_until:
            return False
        self._queues_until = self.clock() + QUEUES_SECONDS
        return self._call("serve", self._digest, *self.queues)

    @property
    def must_stop_listening(self) -> bool:
        """Whether this child has been busy for more than ``BUSY_SECONDS`` and still listens to its queues."""
        is_long = self._busy_since is not None and self.clock() - self._busy_since > BUSY_SECONDS
        return is_long and self.listener.is_listening

    def leave(self) -> None:
        """Remove the child's registration, and stop listening to the queues. Wake-ups that have already
        arrived are passed to other children. Raises ``QueueUnavailable``.
        """
        if self.is_entered or self.is_ear:
            self._hand_on()
            self.is_entered = self.is_ear = False
            if woken := self.listener.drain()[0]:
                self._hand_on(*woken)
        self.listener.stop()

    def _hand_on(self, *queues: str) -> None:
        self._call("hand_on", self.listener.own, self._digest, *queues)

    def _call(self, script: str, *args: str) -> bool:
        try:
            self.session.call(Call(script, self.session.keys.of_idle(), *args))
            return True
        except QueueUnavailable:
            raise
        except QueueError as error:
            # Another program may have spoilt a key.
            logger.error("%s; until it works, a poll finds the messages", error)
            self._off_until = self.clock() + ENTRY_SECONDS
            return False

    def listen(self, is_idle: bool) -> bool:
        """Subscribe to the channels that the child needs if it is idle.

        Returns whether a subscription is new. If so, the caller must check for messages that were announced
        before the subscription.
        """
        if not is_idle:
            self._busy_since = self._busy_since or self.clock()
            return False
        self._busy_since = None
        if self.listener.open():
            self.is_entered = False
            return True
        if self.is_ear or not self._is_on:
            return self.listener.start()
        self.listener.stop()
        return False
