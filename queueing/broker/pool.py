"""The connections of one process to Redis: a bounded number, lent to one thread at a time."""

import os
import time
from queue import Empty, Full, SimpleQueue
from threading import RLock
from typing import Any
from weakref import WeakSet

from redis import BlockingConnectionPool
from redis import exceptions as driver

from queueing.resilience import deadline

#: The pools of all clients of this process.
_in_use: WeakSet[Any] = WeakSet()


class _Shelf:
    """A stack with the methods of ``LifoQueue`` that the pool needs, without its locks in Python."""

    def __init__(self, size: int) -> None:
        self.queue: list[Any] = []
        self._size = size
        self._filled: SimpleQueue[None] = SimpleQueue()

    def put_nowait(self, item: Any) -> None:
        if len(self.queue) >= self._size:
            raise Full
        self.queue.append(item)
        self._filled.put(None)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self._filled.get(block, timeout)
        return self.queue.pop()


class Pool(BlockingConnectionPool):
    """redis-py's ``BlockingConnectionPool`` without its bookkeeping, and with the deadline of a request.

    It leaves out telemetry, notices of maintenance (protocol 2 has none), and the system call that checks a
    connection which was in use a moment ago. ``send_message`` takes 73 µs with it and 94 µs with redis-py's
    pool (36 and 53 µs of this process; medians of 120 turns side by side on one machine).
    """

    #: A connection that was not used for this many seconds may have been closed meanwhile.
    FRESH_SECONDS = 0.5

    def __init__(self, **options: Any) -> None:
        super().__init__(queue_class=_Shelf, **options)  # type: ignore[no-untyped-call]

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connected connection, for which it waits ``timeout`` seconds. Raises ``ConnectionError``.

        Neither that nor an answer on it takes longer than the deadline of the request.
        """
        self._checkpid()
        waiting = deadline.current()
        limit = waiting.seconds_left if waiting else self.timeout
        if waiting and limit <= 0:
            raise driver.ConnectionError("It did not answer a moment ago.")
        try:
            connection = self.pool.get(timeout=min(limit, self.timeout))
        except Empty:
            raise driver.ConnectionError("No connection available.") from None
        if connection is None:
            connection = self.make_connection()  # type: ignore[no-untyped-call]
            connection.used_at = 0.0
            connection.is_hurried = False
        try:
            if waiting:
                self._hurry(connection, limit)
            if time.monotonic() - connection.used_at > self.FRESH_SECONDS:
                _look_after(connection)
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Any) -> None:
        """Take it back. One of a parent process is closed."""
        self._checkpid()
        if connection.pid != self.pid:
            # The pool of this process has been filled again since the fork.
            connection.disconnect()
            return
        # redis-py before 8 does not say whether it is connected. The next loan finds out.
        connection.used_at = time.monotonic() if getattr(connection, "is_connected", False) else 0.0
        if connection.is_hurried:
            self._hurry(connection, None)
        self.pool.put_nowait(connection)

    def _hurry(self, connection: Any, seconds: float | None) -> None:
        """Let no answer on it take longer than ``seconds``; ``None``: than its own time-out."""
        usual = self.connection_kwargs.get("socket_timeout")
        connection.is_hurried = seconds is not None
        connection.socket_timeout = connection.socket_connect_timeout = (
            usual if seconds is None else min(seconds, usual or seconds)
        )
        if hasattr(connection, "update_current_socket_timeout"):
            connection.update_current_socket_timeout(connection.socket_timeout)
        else:
            # redis-py before 7.0: the next connect sets the new timeout.
            connection.disconnect()


def _look_after(connection: Any) -> None:
    """Connect it; again if the other end has closed it or it holds a reply that nobody has read."""
    connection.connect()
    try:
        is_usable = not connection.can_read()
    except (driver.ConnectionError, driver.TimeoutError, OSError):
        is_usable = False
    if not is_usable:
        connection.disconnect()
        connection.connect()


def use_in_forks(pool: Any) -> None:
    """Let forks of this process use any of redis-py's pools while threads of their parent use it."""
    _in_use.add(pool)


def _release_locks() -> None:
    """Replace the locks of the pools. A thread of the parent may hold them, and it does not exist here.

    From version 8 on, redis-py's pool waits for its lock in a fork before it makes a new one.
    """
    for pool in _in_use:
        pool._lock = RLock()
        if dispatcher := getattr(pool, "_event_dispatcher", None):
            dispatcher._lock = RLock()


os.register_at_fork(after_in_child=_release_locks)
