"""The session for event loops: the asyncio counterpart of ``session.py``."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from redis import exceptions as driver

from queueing.exceptions import QueueError, QueueUnavailable, ReplyLost

from . import refusals
from .async_pool import AsyncPool, connector
from .scripts import Call, QueueCall
from .session import Session
from .session_base import AWAY, LOSSES, USUAL_SECONDS, Dialogue, SessionBase, Tries, has_moved, packed_calls


class AsyncSession(SessionBase):
    """Runs scripts on connections of the running event loop. Loops, threads and forks may share an instance.

    An instance connects with the options of a ``Session``. It has a pool of connections for each loop.
    """

    def __init__(self, session: Session) -> None:
        """Use the connection options of ``session``.

        Raises ``ValueError`` for an option that redis-py's asyncio connections do not have.
        """
        pool = session.redis.connection_pool
        super().__init__(session.keys.ns, pool.connection_kwargs)
        self.partition = session.partition
        self._size: int = pool.max_connections
        self._connect = connector(pool.connection_class, pool.connection_kwargs)
        self._session = session
        # A fork does not close the pools of its parent: that would stop the parent's loop from listening.
        self._pools: dict[tuple[int, asyncio.AbstractEventLoop], AsyncPool] = {}

    async def call(self, call: Call | QueueCall, *, replicas: int = 0) -> Any:
        # This is the most frequent path, and ``call_each`` costs 5 % more.
        [reply] = await self._exchange([self._made(call)], replicas)
        if isinstance(call, QueueCall) and has_moved(reply):
            [reply] = await self.call_each([self._follow(call, reply)])
        if isinstance(reply, QueueError):
            raise reply
        return reply

    async def call_each(self, calls: Sequence[Call | QueueCall], *, replicas: int = 0) -> list[Any]:
        replies = await self._exchange([self._made(call) for call in calls], replicas)
        if moved := self._moved(calls, replies):
            again = await self.call_each(list(moved.values()))
            for index, reply in zip(moved, again, strict=True):
                replies[index] = reply
        return replies

    async def _exchange(self, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
        if self._connect is None:
            # Connections that are not redis-py's, such as fakeredis in tests.
            replies: list[Any] = await asyncio.to_thread(self._session._exchange, calls, replicas)
            return replies
        packed, tries = packed_calls(calls), Tries(self, calls)
        while True:
            try:
                return await self._try_once(calls, packed, replicas, tries.seconds_left)
            except QueueUnavailable as error:
                await asyncio.sleep(tries.pause_after(error))

    async def _try_once(
        self, calls: Sequence[Call], packed: list[bytes], replicas: int, limit: float | None
    ) -> list[Any]:
        """Send ``calls`` once, without a retry, and return their replies. Raises ``QueueUnavailable``.

        ``packed`` has the encoded calls. ``replicas`` is the number of replicas that must confirm the writes.
        ``limit`` is the number of seconds until the deadline of the request, or ``None`` without a deadline.
        """
        pool = self._pool()
        try:
            async with asyncio.timeout(limit):
                connection = await pool.lend()
        except AWAY as error:
            raise refusals.unanswered(error) from error
        try:
            dialogue = self._dialogue(calls, packed, replicas, connection.socket_timeout or USUAL_SECONDS)
            async with asyncio.timeout(limit):
                return await _say(connection, dialogue)
        except BaseException as error:
            # Also after a cancellation. Otherwise the next call would read the rest of this reply as its own.
            await connection.disconnect(nowait=True)
            if isinstance(error, LOSSES):
                raise refusals.unanswered(error, ReplyLost) from error
            raise
        finally:
            pool.take_back(connection)

    def _pool(self) -> AsyncPool:
        key = os.getpid(), asyncio.get_running_loop()
        try:
            return self._pools[key]
        except KeyError:
            for pid, loop in list(self._pools):
                if pid == key[0] and loop.is_closed():
                    self._pools.pop((pid, loop), None)
            assert self._connect is not None
            pool = AsyncPool(self._connect, self._size, lambda: self._pools.pop(key, None))
            return self._pools.setdefault(key, pool)


async def _say(connection: Any, dialogue: Dialogue) -> list[Any]:
    """Run ``dialogue`` on the connection: send the commands that it yields, and pass it the replies.

    Returns the result of the dialogue.
    """
    try:
        packed, count = next(dialogue)
        while True:
            try:
                await connection.send_packed_command(packed)
                replies = [await _read(connection) for _ in range(count)]
            except LOSSES as error:
                packed, count = dialogue.throw(error)
            else:
                packed, count = dialogue.send(replies)
    except StopIteration as end:
        said: list[Any] = end.value
        return said


async def _read(connection: Any) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except driver.ResponseError as error:
        return error
