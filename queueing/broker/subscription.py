"""A connection that listens to channels, by hand, so that it can be waited for with other things.

redis-py's own ``PubSub`` reads under the connection's time-out and cannot be selected on.
"""

from typing import Any

from redis import Redis
from redis import exceptions as driver

#: Senders that do not announce what they send, as RSMQ by default, are found by a poll.
POLL_SECONDS = 4.5
#: A user of Redis that may not subscribe is tried again after so long.
REFUSED_SECONDS = 60.0
SUBSCRIBE_REFUSED = (
    f"Redis refuses SUBSCRIBE to its user: new messages are found by a poll every {POLL_SECONDS:g} s"
)
#: What any call of a subscription may raise when Redis is away.
AWAY = (driver.RedisError, OSError)


class Subscription:
    """One connection beside the pool. It is lost with the first error: close it and make another."""

    def __init__(self, redis: Redis) -> None:
        pool = redis.connection_pool
        # In the third version of the protocol announcements come between replies.
        self._connection: Any = pool.connection_class(**{**pool.connection_kwargs, "protocol": 2})
        self._connection.connect()

    def fileno(self) -> int:
        """The socket, for ``select``; -1 where there is none."""
        socket = getattr(self._connection, "_sock", None)
        return socket.fileno() if socket else -1

    def say(self, verb: str, *channels: str) -> None:
        """``SUBSCRIBE`` or ``UNSUBSCRIBE``; each channel is confirmed by something to read."""
        self._connection.send_command(verb, *channels)

    def read(self, *, timeout_seconds: float | None = None) -> tuple[str, str] | None:
        """What was heard (``message``, ``subscribe`` …) and on which channel, ``None``: nothing.

        Without a time-out it waits as long as any reply may take.
        """
        if timeout_seconds is not None and not self._connection.can_read(timeout=timeout_seconds):
            return None
        kind, channel, _ = self._connection.read_response(disable_decoding=True)
        return kind.decode(), (channel or b"").decode()

    def close(self) -> None:
        self._connection.disconnect()
