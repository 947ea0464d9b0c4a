"""Run one delivery to its outcome. It knows no thread, no signal and no Redis.

``process`` is a sequence of named steps, and every way through it ends in one of three words:
done, retrying or dead.
"""

import asyncio
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from .. import handlers
from ..handlers import DEFAULT_POLICY, Handler
from ..holdings import Delivery
from ..outcomes import Outcome


class Processor:
    """Runs handlers in whatever thread calls it; async ones all on one event loop."""

    def __init__(self, *, worker: str, max_attempts: int, now_ms: Callable[[], float]) -> None:
        self.worker, self.max_attempts, self.now_ms = worker, max_attempts, now_ms
        self._loop = EventLoop()

    def process(self, delivery: Delivery) -> Outcome:
        """Call the handler of a delivery and tell what became of it. Survives whatever it raises."""
        started_ms = self.now_ms()
        handler = None
        error: BaseException | None = None
        try:
            handler = handlers.find(delivery.queue)
            self._call(handler, delivery)
        except BaseException as raised:
            # SystemExit and KeyboardInterrupt, too: a handler's are no order to this process.
            error = raised
        finally:
            _leave_database()
        return self._outcome(delivery, handler, started_ms, error)

    def _call(self, handler: Handler, delivery: Delivery) -> None:
        if handler.is_async:
            self._loop.run(handler.function(delivery.message))
        else:
            handler.function(delivery.message)

    def _outcome(
        self, delivery: Delivery, handler: Handler | None, started_ms: float, error: BaseException | None
    ) -> Outcome:
        attempt = delivery.failed + 1
        event, delay_ms = self._verdict(handler, attempt, error)
        return Outcome(
            queue=delivery.queue,
            id=delivery.message.id,
            rc=delivery.message.rc,
            event=event,
            worker=self.worker,
            handler=handler.name if handler else "",
            started_ms=started_ms,
            finished_ms=self.now_ms(),
            attempts=attempt,
            crashes=delivery.crashed,
            body=delivery.message.body,
            error=_sentence(error) if error else "",
            traceback=_traceback(error) if error else "",
            delay_ms=delay_ms,
        )

    def _verdict(self, handler: Handler | None, attempt: int, error: BaseException | None) -> tuple[str, int]:
        """The word for this end, and the ms until the next attempt."""
        if error is None:
            return "done", 0
        policy = handler.policy if handler else DEFAULT_POLICY
        if attempt >= (policy.max_attempts or self.max_attempts):
            return "dead", 0
        try:
            return "retrying", int(policy.delay_seconds(error, attempt) * 1000)
        except Exception as broken:
            # A back-off function that fails must not cost the message its retry.
            error.add_note(f"and its back-off function raised {_sentence(broken)}")
            return "retrying", int(DEFAULT_POLICY.delay_seconds(error, attempt) * 1000)


class EventLoop:
    """One asyncio loop in a thread of its own, started with the first coroutine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop and wait for it."""
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


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """What a coroutine returns or raises. A SystemExit that leaves it would end the loop of all others."""
    try:
        return await coroutine, None
    except BaseException as error:
        # Its connections are those of the thread in which Django runs what is not async.
        await sync_to_async(_leave_database)()
        return None, error


def _leave_database() -> None:
    """Let no transaction or broken connection of this job meet the next one."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # It would refuse every later job, closed or not; the next one gets a new one.
            connection.close()
            del connections[connection.alias]
        else:
            connection.close_if_unusable_or_obsolete()


def _sentence(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as broken:
        text = f"(its str() raised {type(broken).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException as broken:
        return f"{_sentence(error)} (no traceback: {type(broken).__name__})"
