"""The client for event loops."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async

from queueing.broker.async_session import AsyncSession
from queueing.broker.pubsub import AsyncWakeUp
from queueing.broker.session import Session
from queueing.signals import emit

from .bulk import BulkOperations
from .queue_client import QueueClient
from .steps import in_loop, runs_operations


@runs_operations(in_loop)
class AsyncQueueClient(BulkOperations):
    """The methods of a ``QueueClient`` as coroutine functions, on connections of the running event loop.

    Loops, threads and forks may share a client. Each loop has its own connections, which are closed when the
    loop ends. Calls need no thread, with two exceptions: ``sweep_queue``, and ``list_queues`` if another
    program has damaged the index of queues. After a cancelled call the client can still be used, but it is
    not known whether that call took effect.
    """

    session: AsyncSession

    def __init__(self, client: QueueClient) -> None:
        """Use the Redis and the queues of ``client``.

        Raises ``ValueError`` for a connection option of ``client`` that redis-py's asyncio connections lack.
        """
        self.session, self.of = AsyncSession(client.session), client
        self.outbox_max, self.durable, self.keys = client.outbox_max, client.durable, client.keys
        self._senders, self._text_sends = client._senders, client._text_sends
        self.partition = client.partition

    def __await__(self) -> Generator[Any, None, "AsyncQueueClient"]:
        """Return this client, so that ``queueing.aget_client()`` works with ``await``, too."""
        return self
        yield

    @contextmanager
    def _wakeup(self, channel: str) -> Iterator[AsyncWakeUp]:
        wakeup = AsyncWakeUp()
        # One thread of the process listens for all waiting callers: coroutines and threads.
        with self.of.wakeups.ringing(channel, wakeup):
            yield wakeup

    async def _maintain(self, function: Callable[[Session], Any]) -> Any:
        return await asyncio.to_thread(function, self.of.session)

    async def _emit(self, *args: Any, **arguments: Any) -> None:
        # A receiver may use the database, which event loops may not.
        await sync_to_async(emit)(*args, **arguments)
