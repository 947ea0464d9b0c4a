"""How an idle child of a worker hears that something was sent.

A wake-up carries no data, and a lost one costs at most the poll. A busy child does not listen: what
nobody reads grows in Redis.
"""

import logging
import math
import time
from collections.abc import Sequence

from redis import exceptions as driver

from queueing.client import QueueClient

from .subscription import AWAY, REFUSED_SECONDS, SUBSCRIBE_REFUSED, Subscription

logger = logging.getLogger("queueing.worker")


class Listener:
    """The channels of a child's queues, listened to while it has nothing to do.

    ``is_teller``: it logs that Redis does not let it listen.
    """

    def __init__(self, client: QueueClient, queues: Sequence[str], *, is_teller: bool = True) -> None:
        self._is_teller, self._refused_until = is_teller, -math.inf
        self._redis, self._keys = client.redis, client.keys
        self._channels = [client.keys.channel(queue) for queue in queues]
        self._subscription: Subscription | None = None
        self.is_listening = False

    def fileno(self) -> int:
        """The socket, for ``select``; -1 where there is none."""
        return self._subscription.fileno() if self._subscription else -1

    def start(self) -> bool:
        """Subscribe. Returns whether that was news: then what came before must be looked for."""
        if self.is_listening or time.monotonic() < self._refused_until:
            return False
        return self._say("SUBSCRIBE")

    def stop(self) -> None:
        """Unsubscribe; the connection stays."""
        if self.is_listening:
            self._say("UNSUBSCRIBE")

    def drain(self) -> None:
        """Read what has arrived. What it says does not matter."""
        try:
            while self._subscription and self._subscription.read(timeout_seconds=0):
                pass
        except AWAY:
            self.close()

    def add(self, queue: str) -> None:
        """Listen to one more, from the next start on."""
        self.stop()
        self._channels.append(self._keys.channel(queue))

    def close(self) -> None:
        self.is_listening = False
        if self._subscription:
            self._subscription.close()
            self._subscription = None

    def _say(self, verb: str) -> bool:
        try:
            self._subscription = self._subscription or Subscription(self._redis)
            self._subscription.say(verb, *self._channels)
            confirmed = 0
            while confirmed < len(self._channels):
                heard = self._subscription.read()
                confirmed += heard is not None and heard[0] == verb.lower()
            self.is_listening = verb == "SUBSCRIBE"
            return True
        except driver.NoPermissionError as error:
            self._is_refused(error)
            return False
        except AWAY:
            # Without it the poll finds what is sent; whether Redis is away the next claim tells.
            self.close()
            return False

    def _is_refused(self, error: driver.NoPermissionError) -> None:
        self.close()
        self._refused_until = time.monotonic() + REFUSED_SECONDS
        if self._is_teller:
            self._is_teller = False
            logger.warning("%s (%s)", SUBSCRIBE_REFUSED, error)
