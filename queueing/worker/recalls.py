"""Checks whether the batch of a message is cancelled, before the message runs and while it runs."""

import time

from queueing.broker import batches
from queueing.broker.leases import Delivery
from queueing.broker.session import Session
from queueing.exceptions import QueueError

from .server_clock import Clock

#: How long Redis' answer about one batch is used.
KNOWN_SECONDS = 1.0
#: The most batches that are remembered.
BATCHES = 1000
REASON = "its batch was cancelled"


class Recalls:
    """Remembers for some time whether the batches of this process's messages are cancelled. Thread-safe."""

    def __init__(self, session: Session, clock: Clock = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._known: dict[str, tuple[float, bool]] = {}

    def reason(self, delivery: Delivery) -> str | None:
        """The reason why a delivery must not run, or ``None`` if it may run.

        If Redis does not answer, the delivery may run.
        """
        batch = delivery.message.headers.get(batches.BATCH)
        if not batch:
            return None
        now = self._clock()
        until, is_recalled = self._known.get(batch, (0.0, False))
        if now >= until:
            try:
                is_recalled = batches.is_recalled(self._session, batch)
            except QueueError:
                return None
            if len(self._known) >= BATCHES:
                self._known.clear()
            self._known[batch] = (now + KNOWN_SECONDS, is_recalled)
        return REASON if is_recalled else None
