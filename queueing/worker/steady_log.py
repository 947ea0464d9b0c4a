"""Loggers that a worker can rely on: they raise nothing, and no traceback fills the log.

The handlers and filters of a log are the project's. An error in one of them must not end the thread that
logs, which may be the one that settles or the one that extends leases.
"""

import logging
import sys
from collections.abc import Callable

from ..error_text import cut, sentence, trace

#: The loggers of this package, and those of Django and asyncio that report errors of jobs.
NAMES = ("queueing", "queueing.worker", "django.tasks", "django_tasks", "django.dispatch", "asyncio")
#: Characters of one message: an error may have any text.
MESSAGE_CHARACTERS = 4_000


def steady() -> None:
    """Make the loggers of this process steady. It may be called again."""
    for name in NAMES:
        logger = logging.getLogger(name)
        if not isinstance(logger.handle, _Steady):
            logger.handle = _Steady(logger.handle)  # type: ignore[method-assign]


class _Steady:
    """A logger's ``handle`` with its errors reported once per kind on standard error."""

    def __init__(self, handle: Callable[[logging.LogRecord], None]) -> None:
        self._handle = handle
        self._reported: set[str] = set()

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            if record.levelno >= logging.WARNING:
                _bound(record)
            self._handle(record)
        except BaseException as error:
            self._report(error)

    def _report(self, error: BaseException) -> None:
        try:
            kind = type(error).__name__
            if kind not in self._reported:
                self._reported.add(kind)
                sys.stderr.write(f"A log handler or filter of the project failed: {sentence(error)}\n")
        except BaseException:
            return  # Standard error may be closed, too.


def _bound(record: logging.LogRecord) -> None:
    message = record.getMessage()
    if len(message) > MESSAGE_CHARACTERS:
        record.msg, record.args = cut(message, MESSAGE_CHARACTERS), ()
    if record.exc_info and record.exc_info[1] and not record.exc_text:
        # Formatters take this text instead of making one of any length.
        record.exc_text = trace(record.exc_info[1]).rstrip("\n")
