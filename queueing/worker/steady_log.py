"""Loggers that a worker can rely on: they raise nothing, and no traceback fills the log.

The handlers, filters and record factory of a log are the project's. An error in one of them must not
end the thread that logs, which may be the one that settles or the one that extends leases.
"""

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from queueing.text.errors import cut, sentence, trace

#: The loggers of this package, and those of Django and asyncio that report errors of jobs.
NAMES = ("queueing", "queueing.worker", "django.tasks", "django_tasks", "django.dispatch", "asyncio")
#: Characters of one message: an error may have any text.
MESSAGE_CHARACTERS = 4_000


#: Records that wait for a handler that hangs. What comes after them is dropped.
MAX_WAITING = 1_000

_Handle = Callable[[logging.LogRecord], None]

_reported: set[str] = set()


def steady() -> None:
    """Make the loggers of this process steady. It may be called again."""
    for name in NAMES:
        logger = logging.getLogger(name)
        if not isinstance(logger.handle, _Steady):
            logger.handle = _Steady(logger.handle)  # type: ignore[method-assign]
            logger.makeRecord = partial(_make_record, logger.makeRecord)  # type: ignore[method-assign]


class _Steady:
    """A logger's ``handle`` that raises nothing."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def to(self, put: Callable[[_Handle, logging.LogRecord], None]) -> None:
        """Leave the rest to ``put``."""
        self._handle = partial(put, self._handle)

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            if record.levelno >= logging.WARNING:
                _bound(record)
            self._handle(record)
        except BaseException as error:
            _report("handler or filter", error)


class Aside:
    """A thread that prints what this process logs from now on.

    A handler that hangs, as on a pipe that nobody reads, then costs lines of the log and nothing else.
    """

    def __init__(self) -> None:
        self._records: queue.Queue[tuple[_Handle, logging.LogRecord]] = queue.Queue(MAX_WAITING)
        for name in NAMES:
            handle = logging.getLogger(name).handle
            if isinstance(handle, _Steady):
                handle.to(self._put)
        threading.Thread(target=self._print, name="log", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Let it print what it has got, for so long at most."""
        give_up = time.monotonic() + seconds
        while self._records.unfinished_tasks and time.monotonic() < give_up:
            time.sleep(0.01)

    def _put(self, handle: _Handle, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self._records.put_nowait((handle, record))

    def _print(self) -> None:
        while True:
            handle, record = self._records.get()
            try:
                handle(record)
            except BaseException as error:
                _report("handler or filter", error)
            self._records.task_done()


def _make_record(
    make: Callable[..., logging.LogRecord],
    name: str, level: int, path: str, line: int, text: object, args: Any, exc_info: Any,
    function: str | None = None, extra: Mapping[str, object] | None = None, stack: str | None = None,
) -> logging.LogRecord:  # fmt: skip
    """A logger's ``makeRecord``. The project may have set a factory of records, which may raise."""
    try:
        return make(name, level, path, line, text, args, exc_info, function, extra, stack)
    except BaseException as error:
        _report("record factory", error)
        record = logging.LogRecord(name, level, path, line, text, args, exc_info, function, stack)
        record.__dict__.update(extra or {})
        return record


def _report(what: str, error: BaseException) -> None:
    """Report an error on standard error, once per kind."""
    try:
        kind = f"{what} {type(error).__name__}"
        if kind not in _reported:
            _reported.add(kind)
            sys.stderr.write(f"A log {what} of the project failed: {sentence(error)}\n")
    except BaseException:
        return  # Standard error may be closed, too.


def _bound(record: logging.LogRecord) -> None:
    message = record.getMessage()
    if len(message) > MESSAGE_CHARACTERS:
        record.msg, record.args = cut(message, MESSAGE_CHARACTERS), ()
    if record.exc_info and record.exc_info[1] and not record.exc_text:
        # Formatters take this text instead of making one of any length.
        record.exc_text = trace(record.exc_info[1]).rstrip("\n")
