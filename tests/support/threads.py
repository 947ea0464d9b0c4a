"""Threads that end with their test."""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from .waiting import HANG_SECONDS

Result = TypeVar("Result")


class Threads(Executor):
    """Like ``ThreadPoolExecutor``, but a function that hangs becomes an error, not a wait without an end.

    Python waits at its exit for the threads of ``ThreadPoolExecutor``. These are daemons.
    """

    def __init__(self, count: int) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._work.put(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads. Raises AssertionError with the stacks of those that still run after a minute."""
        for _ in self._threads:
            self._work.put(None)
        end = time.monotonic() + HANG_SECONDS
        for thread in self._threads if wait else ():
            thread.join(max(end - time.monotonic(), 0))
            assert not thread.is_alive(), f"a thread hangs for {HANG_SECONDS:g} s:\n{_stack_of(thread)}"

    def _run(self) -> None:
        while work := self._work.get():
            work()


@contextmanager
def in_thread(function: Callable[[], object], *, end: Callable[[], object]) -> Iterator[Future[object]]:
    """Run ``function`` in a thread beside the block. ``end`` makes it return, also if the block raises."""
    with Threads(1) as threads:
        running = threads.submit(function)
        try:
            yield running
        finally:
            end()
            running.result(HANG_SECONDS)


def logged_here(caplog: Any) -> list[logging.LogRecord]:
    """The records that this thread has logged, without those that earlier tests cause.

    Threads of earlier tests may still log, for example that a server has gone. The garbage collector may run
    in this thread, and find tasks of their event loops.
    """
    here = [record for record in caplog.records if record.thread == threading.get_ident()]
    return [record for record in here if not record.getMessage().startswith("Task was destroyed")]


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame))
