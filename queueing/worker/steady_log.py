"""Loggers that a worker can rely on: they raise nothing, and no traceback fills the log.

The handlers, filters and record factory of a log are the project's. An error in one of them must not
end the thread that logs, which may be the one that settles or the one that extends leases.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..error_text import cut, sentence, trace

#: The loggers of this package, and those of Django and asyncio that report errors of jobs.
NAMES = ("queueing", "queueing.worker", "django.tasks", "django_tasks", "django.dispatch", "asyncio")
#: Characters of one message: an error may have any text.
MESSAGE_CHARACTERS = 4_000


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

    def __init__(self, handle: Callable[[logging.LogRecord], None]) -> None:
        self._handle = handle

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            if record.levelno >= logging.WARNING:
                _bound(record)
            self._handle(record)
        except BaseException as error:
            _report("handler or filter", error)


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
