"""The connection on which an idle child hears that something was sent.

A wake-up carries no data, and a lost one costs at most the poll. A busy child does not listen: what
nobody reads grows in Redis.
"""

from collections.abc import Sequence
from typing import Any

from redis import exceptions as driver

from .client import QueueClient


class Listener:
    """A subscription to the channels of some queues, by hand so that it can be waited for with others."""

    def __init__(self, client: QueueClient, queues: Sequence[str]) -> None:
        self._pool = client.redis.connection_pool
        self._channels = [client.keys.channel(queue) for queue in queues]
        self._connection: Any = None
        self.is_listening = False

    def fileno(self) -> int:
        """The socket, for ``select``; -1 where there is none."""
        # redis-py offers no way to wait for its connection together with something else.
        socket = getattr(self._connection, "_sock", None)
        return socket.fileno() if socket else -1

    def start(self) -> bool:
        """Subscribe. Returns whether that was news: then what came before must be looked for."""
        if self.is_listening:
            return False
        return self._converse("SUBSCRIBE")

    def stop(self) -> None:
        """Unsubscribe; the connection stays."""
        if self.is_listening:
            self._converse("UNSUBSCRIBE")

    def drain(self) -> None:
        """Read what has arrived. What it says does not matter."""
        try:
            while self._connection and self._connection.can_read(timeout=0):
                self._connection.read_response()
        except (driver.RedisError, OSError):
            self.close()

    def close(self) -> None:
        self.is_listening = False
        if self._connection:
            self._connection.disconnect()
            self._connection = None

    def _converse(self, verb: str) -> bool:
        try:
            if self._connection is None:
                self._connection = self._pool.connection_class(**self._pool.connection_kwargs)
                self._connection.connect()
            self._connection.send_command(verb, *self._channels)
            acknowledged = 0
            while acknowledged < len(self._channels):
                acknowledged += self._connection.read_response()[0].lower() == verb.lower().encode()
            self.is_listening = verb == "SUBSCRIBE"
            return True
        except (driver.RedisError, OSError):
            # Without it the poll finds what is sent; whether Redis is away the next claim tells.
            self.close()
            return False
