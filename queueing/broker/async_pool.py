"""The pool of connections of one event loop. Each connection is lent to one coroutine at a time.

The pool is closed when its loop ends.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from redis import Connection, SSLConnection, UnixDomainSocketConnection
from redis import exceptions as driver
from redis.asyncio import Connection as AsyncConnection
from redis.asyncio import SSLConnection as AsyncSSLConnection
from redis.asyncio import UnixDomainSocketConnection as AsyncUnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .discovery import Discovery, FoundConnection, FoundSSLConnection
from .pool import Pool
from .session_base import USUAL_SECONDS
from .tls import explain


class _Finding:
    """A mixin that makes a connection ask ``discovery`` for the server each time it connects."""

    socket_connect_timeout: float | None

    def __init__(self, *, discovery: Discovery, **options: Any) -> None:
        super().__init__(**options)
        self._discovery = discovery

    async def _connect(self) -> None:
        # The search for the server blocks, so it runs in a thread. Only a new connection needs a search.
        self.host, self.port = await asyncio.to_thread(self._discovery.find, self.socket_connect_timeout)
        await super()._connect()  # type: ignore[misc]


class AsyncFoundConnection(_Finding, AsyncConnection):
    """An asyncio connection without TLS to the server that ``discovery`` finds."""


class AsyncFoundSSLConnection(_Finding, AsyncSSLConnection):
    """An asyncio connection with TLS to the server that ``discovery`` finds."""


#: Maps each blocking connection class to its asyncio counterpart.
COUNTERPARTS: dict[type, type[Any]] = {
    Connection: AsyncConnection,
    SSLConnection: AsyncSSLConnection,
    UnixDomainSocketConnection: AsyncUnixDomainSocketConnection,
    FoundConnection: AsyncFoundConnection,
    FoundSSLConnection: AsyncFoundSSLConnection,
}
#: The options of redis-py that describe the server and the login. The options of TLS are not listed: they
#: begin with ``ssl_``.
OPTIONS = {
    "client_name", "credential_provider", "db", "discovery", "driver_info", "health_check_interval", "host",
    "password", "path", "port", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options",
    "socket_read_size", "socket_timeout", "username",
}  # fmt: skip


def connector(connection_class: type, options: Mapping[str, Any]) -> Callable[[], Any] | None:
    """Return a function that makes the asyncio counterpart of a ``connection_class`` with these ``options``.

    Returns ``None`` if ``connection_class`` has no counterpart in ``COUNTERPARTS``. Raises ``ValueError`` for
    an option of TLS that redis-py's asyncio connections do not have.
    """
    counterpart = COUNTERPARTS.get(connection_class)
    if counterpart is None:
        return None
    known = {name for base in counterpart.__mro__[:-1] for name in inspect.signature(base).parameters}
    given = {
        name: value
        for name, value in options.items()
        if value is not None and (name in OPTIONS & known or name.startswith("ssl_"))
    }
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"The async client does not have the option {unknown[0]} of its connections.")
    return lambda: counterpart(**given, protocol=2, retry=Retry(NoBackoff(), 0))


class AsyncPool:
    """A pool of at most ``size`` connections. A coroutine waits up to ``USUAL_SECONDS`` for a free one."""

    def __init__(self, connect: Callable[[], Any], size: int, closed: Callable[[], object]) -> None:
        """``connect`` makes a connection object. ``closed`` is called when the event loop ends."""
        self._connect, self._closed = connect, closed
        self._free = asyncio.Semaphore(size)
        self._idle: list[Any] = []
        self._made: list[Any] = []
        self._end: AsyncGenerator[None, None] | None = None

    async def lend(self) -> Any:
        """Take a connection from the pool and connect it if necessary.

        Raises ``ConnectionError`` if no connection becomes free in time, and the errors of redis-py's
        ``connect``.
        """
        if self._end is None:
            self._end = self._closing_with_loop()
            await anext(self._end)
        try:
            async with asyncio.timeout(USUAL_SECONDS if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise driver.ConnectionError("No connection available.") from None
        try:
            connection = self._idle.pop() if self._idle else self._new()
        except BaseException:
            self._free.release()
            raise
        try:
            if time.monotonic() - connection.used_at > Pool.FRESH_SECONDS:
                await _look_after(connection)
        except BaseException as error:
            await connection.disconnect(nowait=True)
            self.take_back(connection)
            if isinstance(error, driver.RedisError | OSError):
                await asyncio.to_thread(explain, error, connection)
            raise
        return connection

    def take_back(self, connection: Any) -> None:
        connection.used_at = time.monotonic() if connection.is_connected else 0.0
        self._idle.append(connection)
        self._free.release()

    def _new(self) -> Any:
        connection = self._connect()
        connection.used_at = 0.0
        self._made.append(connection)
        return connection

    async def _closing_with_loop(self) -> AsyncGenerator[None, None]:
        # asyncio.run and the servers end the async generators of a loop before they close it.
        try:
            yield
        finally:
            self._closed()
            for connection in self._made:
                await connection.disconnect()


async def _look_after(connection: Any) -> None:
    """Ensure that the connection is open and has no unread reply. Reconnects if necessary."""
    await connection.connect()
    look = getattr(connection, "can_read", None) or connection.can_read_destructive
    try:
        is_usable = not await look()
    except (driver.ConnectionError, driver.TimeoutError, OSError):
        is_usable = False
    if not is_usable:
        await connection.disconnect(nowait=True)
        await connection.connect()
