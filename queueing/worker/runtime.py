"""The runtime of one job: a clean context, an event loop, and a check of the returned value.

A clean context isolates each run from the context variables that another run has set: the language, the time
zone, the decimal context, and variables of the project and its libraries. Django's caches are context
variables, too, but a thread keeps them from run to run, because they hold connections. Database connections
belong to the thread itself.
"""

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context
from functools import partial
from inspect import isawaitable
from typing import Any, TypeVar

from django.core.cache import caches

from queueing.context import current

from .database import tend_connections_of_loop
from .processes import end_if_fork, watch_loop
from .retries import TimedOut

logger = logging.getLogger("queueing.worker")


Result = TypeVar("Result")


class CleanContext(threading.local):
    """The clean context in which each run of a thread starts."""

    def __init__(self) -> None:
        self._base = Context()
        # Every run sets the variable ``current``, so the base context has it, too. If the context of a run
        # has more variables than the base, the run has set another one, for example a cache.
        self._base.run(current.set, None)
        self._many_caches = len(caches.settings) > 1

    def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call ``function`` in a context in which only Django's caches are set."""
        base = self._base
        context = base.copy()
        try:
            return context.run(function, *args)
        finally:
            if len(context) > len(base) or self._many_caches:
                base.run(_keep, context.run(_opened))


def _opened() -> dict[str, Any]:
    if not caches.all(initialized_only=True):
        return {}
    # Django lists the caches that are open, but not their names.
    connections: Any = caches._connections  # type: ignore[attr-defined]
    return {alias: caches[alias] for alias in caches if hasattr(connections, alias)}


def _keep(opened: dict[str, Any]) -> None:
    for alias, cache in opened.items():
        caches[alias] = cache


#: Types of objects whose code runs only when they are iterated over, and their names in error messages.
_LAZY = {
    Generator: "a generator",
    AsyncGenerator: "an async generator",
    map: "a map object",
    filter: "a filter object",
}


class NothingRan(Exception):
    """A function returned a generator or a similar object, so its code has not run."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"the function returned {kind}, whose code has not run: iterate over it inside the function"
        )


def is_pending(value: Any) -> bool:
    """Whether a value must be awaited."""
    return isawaitable(value) or isinstance(value, Future)


async def awaited(value: Any) -> Any:
    """Await a value, and return the result.

    If the result is awaitable, too, it is awaited in turn, because decorators may nest awaitables.
    """
    while is_pending(value):
        value = await (asyncio.wrap_future(value) if isinstance(value, Future) else value)
    return value


def refuse_lazy(value: Any) -> None:
    """Raise ``NothingRan`` for a generator or a similar object."""
    for kind, words in _LAZY.items():
        if isinstance(value, kind):
            raise NothingRan(words)


#: A loop that runs no callback for this long is blocked. This is logged at most once in ``REPORT_SECONDS``.
BLOCKED_SECONDS, REPORT_SECONDS = 5.0, 60.0
STACK_FRAMES = 5


#: Identifies a delivery: queue, message id and receive count.
DeliveryKey = tuple[str, str, int]


class LoopLost(Exception):
    """The event loop of the child was closed or failed while a function ran on it."""

    def __init__(self) -> None:
        super().__init__("the event loop was closed or broke while it ran; the next run has a new one")


class EventLoop:
    """One asyncio loop in a thread of its own, started with the first coroutine.

    A broken loop is replaced. The functions that ran on the broken loop fail with ``LoopLost``, so that their
    callers do not wait for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        #: The futures that threads wait for, each with its loop: a new loop may begin before the old one
        #: ends.
        self._waiting: dict[Future[Any], asyncio.AbstractEventLoop] = {}
        #: The tasks of deliveries. Only the loop's thread changes this dict.
        self._tasks: dict[DeliveryKey, asyncio.Task[Any]] = {}
        self._watching = threading.Lock()
        self._reported_at = -math.inf

    def run(
        self, coroutine: Coroutine[Any, Any, Any], *, deadline: float | None = None, limit_seconds: float = 0
    ) -> Any:
        """Run a coroutine on the loop and wait for its result.

        Raises the error of the coroutine, and ``LoopLost``. Raises ``TimedOut`` if the coroutine was
        cancelled at its ``deadline`` (``time.monotonic``). ``limit_seconds`` is the time limit that the text
        of this error names.
        """
        if deadline is not None:
            coroutine = _limited(coroutine, deadline, limit_seconds)
        future = self._submit(self._caught(coroutine))
        try:
            result, error = self._result(future)
        finally:
            self._waiting.pop(future, None)
        if error is not None:
            raise error
        return result

    def _result(self, future: Future[Any]) -> Any:
        while True:
            with suppress(TimeoutError):
                return future.result(BLOCKED_SECONDS)
            if future.done():
                return future.result()
            if self._watching.acquire(blocking=False):
                try:
                    with suppress(RuntimeError):  # It was closed a moment ago.
                        self._report_if_blocked()
                finally:
                    self._watching.release()

    def _report_if_blocked(self) -> None:
        """If a handler blocks the loop, log its stack. Meanwhile all other coroutines on the loop wait."""
        loop, thread, goes_on = self._loop, self._thread, threading.Event()
        if loop is None or thread is None or time.monotonic() < self._reported_at + REPORT_SECONDS:
            return
        loop.call_soon_threadsafe(goes_on.set)
        if not goes_on.wait(BLOCKED_SECONDS) and (frame := sys._current_frames().get(thread.ident or 0)):
            self._reported_at = time.monotonic()
            stack = "".join(traceback.format_stack(frame)[-STACK_FRAMES:])
            logger.warning("a handler blocks the event loop, and all async messages wait:\n%s", stack)

    def _submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                turn = partial(self._turn, self._loop)
                self._thread = threading.Thread(target=turn, name="event loop", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._waiting[future] = self._loop
            return future

    async def _caught(self, coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
        """Await a coroutine, and return its result and its error; one of them is ``None``. The error is not
        raised, because SystemExit would end the loop.
        """
        await self._tend_connections()
        result, error = None, None
        try:
            result = await self._stoppable(coroutine)
            end_if_fork()
        except GeneratorExit:
            raise  # It ends no loop, and a coroutine that is thrown away with its loop must not await.
        except BaseException as raised:
            end_if_fork(raised)
            error = raised
        await self._tend_connections()
        return result, error

    async def _stoppable(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        context, task = current.get(), asyncio.current_task()
        if context is None or task is None:
            return await coroutine
        key = (context.queue, *context.receipt)
        self._tasks[key] = task
        try:
            if context.is_cancelled:
                coroutine.close()
                raise asyncio.CancelledError
            return await coroutine
        finally:
            del self._tasks[key]

    def cancel(self, delivery: DeliveryKey) -> None:
        """Cancel the run of a delivery if it is on the loop. Any thread may call this method."""
        loop = self._loop
        with suppress(RuntimeError):  # The loop was closed a moment ago.
            if loop is not None:
                loop.call_soon_threadsafe(self._cancel, delivery)

    def _cancel(self, delivery: DeliveryKey) -> None:
        if task := self._tasks.get(delivery):
            task.cancel()

    async def _tend_connections(self) -> None:
        try:
            await tend_connections_of_loop(is_shared=len(self._waiting) > 1)
        except Exception:
            # The run begins, or has ended with its result, all the same.
            logger.exception("the database connections of async functions could not be left in order")

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the loop until it is closed or broken. If a handler stops the loop, it is run again."""
        watch_loop(loop)
        while not loop.is_closed():
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # A handler has started an asyncio task, and the task has raised ``SystemExit`` or
                # ``KeyboardInterrupt``. asyncio lets these two exceptions stop the loop, so the loop is run
                # again.
                logger.warning("%s left a task of the event loop, which goes on", type(error).__name__)
            except BaseException:
                logger.exception("the event loop cannot go on and is replaced")
                break
        self._abandon(loop)

    def _abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            lost = [future for future, its_loop in list(self._waiting.items()) if its_loop is loop]
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
