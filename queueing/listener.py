"""How an idle child of a worker hears that something was sent.

A wake-up carries no data, and a lost one costs at most the poll. A busy child does not listen: what
nobody reads grows in Redis.
"""

from collections.abc import Sequence

from .client import QueueClient
from .subscription import AWAY, Subscription


class Listener:
    """The channels of a child's queues, listened to while it has nothing to do."""

    def __init__(self, client: QueueClient, queues: Sequence[str]) -> None:
        self._redis, self._keys = client.redis, client.keys
        self._channels = [client.keys.channel(queue) for queue in queues]
        self._subscription: Subscription | None = None
        self.is_listening = False

    def fileno(self) -> int:
        """The socket, for ``select``; -1 where there is none."""
        return self._subscription.fileno() if self._subscription else -1

    def start(self) -> bool:
        """Subscribe. Returns whether that was news: then what came before must be looked for."""
        return not self.is_listening and self._say("SUBSCRIBE")

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
        except AWAY:
            # Without it the poll finds what is sent; whether Redis is away the next claim tells.
            self.close()
            return False
