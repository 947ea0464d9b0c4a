"""The one event loop of a child, on which its async handlers run."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from asgiref.sync import sync_to_async

from .database import leave_database
from .verdict import TimedOut


class EventLoop:
    """One asyncio loop in a thread of its own, started with the first coroutine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any], *, timeout_seconds: float | None = None) -> Any:
        """Run a coroutine on the loop and wait for it; ``TimedOut`` if it had to be cancelled."""
        if timeout_seconds is not None:
            coroutine = _limited(coroutine, timeout_seconds)
        result, error = asyncio.run_coroutine_threadsafe(_caught(coroutine), self._started()).result()
        if error is not None:
            raise error
        return result

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True).start()
            return self._loop


async def _limited(coroutine: Coroutine[Any, Any, Any], seconds: float) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await coroutine
    except TimeoutError as error:
        if limit.expired():
            raise TimedOut(seconds) from error
        raise  # Its own.


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """What a coroutine returns or raises. A SystemExit that leaves it would end the loop of all others."""
    try:
        return await coroutine, None
    except BaseException as error:
        # Its connections are those of the thread in which Django runs what is not async.
        await sync_to_async(leave_database)()
        return None, error
