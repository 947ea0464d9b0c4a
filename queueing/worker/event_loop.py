"""The event loop of a child, on which everything awaitable runs that its handlers return."""

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async

from .database import leave_database
from .verdict import TimedOut

logger = logging.getLogger("queueing.worker")


class LoopLost(Exception):
    """The event loop of the child was closed or broke while a function ran on it."""

    def __init__(self) -> None:
        super().__init__("the event loop was closed or broke while it ran; the next run has a new one")


class EventLoop:
    """One asyncio loop in a thread of its own, started with the first coroutine.

    A loop that cannot go on is replaced, and what ran on it has failed: nothing waits for it for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[Future[Any]] = set()

    def run(
        self, coroutine: Coroutine[Any, Any, Any], *, deadline: float | None = None, limit_seconds: float = 0
    ) -> Any:
        """Run a coroutine on the loop and wait for it.

        Raises ``TimedOut`` if the coroutine had to be cancelled at its ``deadline`` (monotonic), and
        ``LoopLost``.
        """
        if deadline is not None:
            coroutine = _limited(coroutine, deadline, limit_seconds)
        future = self._submit(_caught(coroutine))
        try:
            result, error = future.result()
        finally:
            self._waiting.discard(future)
        if error is not None:
            raise error
        return result

    def _submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._turn, args=(self._loop,), name="event loop", daemon=True
                ).start()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._waiting.add(future)
            return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the loop running, whoever stops it."""
        while not loop.is_closed():
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these two out of a task that a handler has started, and ends that task with it.
                logger.warning("%s left a task of the event loop, which goes on", type(error).__name__)
            except BaseException:
                logger.exception("the event loop cannot go on and is replaced")
                break
        self._abandon(loop)

    def _abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            lost, self._waiting = self._waiting, set()
            if self._loop is loop:
                self._loop = None
        for future in lost:
            with suppress(InvalidStateError):
                future.set_exception(LoopLost())
        with suppress(Exception):
            loop.close()


async def _limited(coroutine: Coroutine[Any, Any, Any], deadline: float, limit_seconds: float) -> Any:
    limit = asyncio.timeout(max(0.0, deadline - time.monotonic()))
    try:
        async with limit:
            return await coroutine
    except TimeoutError as error:
        if limit.expired():
            raise TimedOut(limit_seconds) from error
        raise  # Its own.


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """What a coroutine returns or raises. A SystemExit that leaves it would end the loop of all others."""
    try:
        return await coroutine, None
    except GeneratorExit:
        raise  # It ends no loop, and a coroutine that is thrown away with its loop must not await.
    except BaseException as error:
        # Its connections are those of the thread in which Django runs what is not async.
        await sync_to_async(leave_database)()
        return None, error
