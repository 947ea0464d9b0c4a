"""The log of a worker: which outcomes get a line, the format of the lines, and where they are printed.

Short successful runs are counted, and the count is logged once a second. The log is printed to stderr, unless
the project's ``LOGGING`` has a handler for it.

The project may set the handlers, the filters and the record factory of the log. An error in one of these must
not end the thread that logs, because this thread may settle messages or extend leases.
"""

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from queueing.broker.outcomes import Outcome, State
from queueing.context import current
from queueing.logging import TextFormatter, safe
from queueing.text.errors import as_text, cut, sentence, trace

logger = logging.getLogger("queueing.worker")

#: The loggers of this package, and the loggers of Django and asyncio that report errors of jobs.
STEADY_LOGGERS = ("queueing", "queueing.worker", "django.tasks", "django_tasks", "django.dispatch", "asyncio")
#: The most characters of one log message. It may contain the text of an error, which has any length.
MESSAGE_CHARACTERS = 4_000
#: The most records that wait while a handler hangs. Later records are dropped.
MAX_WAITING = 1_000
#: Successful runs that last at least this long get a line of their own.
NOTABLE_SECONDS = 0.1
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: The loggers of Django's tasks and of their backport ``django-tasks``.
OF_TASKS = ("django.tasks", "django_tasks")


class OutcomeLog:
    """Logs outcomes: one line for each, or only a count for short successful runs."""

    def __init__(self, *, log_jobs: bool) -> None:
        self.log_jobs = log_jobs
        self._count = 0
        self._since = time.monotonic()

    def write(self, outcome: Outcome) -> None:
        """Log one settled outcome."""
        if outcome.event == State.DONE:
            self._write_success(outcome)
        elif outcome.event == State.RETRYING:
            text = f"failed (attempt {outcome.attempts}), retrying in {outcome.delay_ms / 1000:.1f} s"
            _write(logging.WARNING, outcome, f"{text}: {safe(outcome.error)}")
        elif outcome.event == State.DEAD:
            noun = "attempt" if outcome.attempts == 1 else "attempts"
            text = f"dead after {outcome.attempts} {noun}: {safe(outcome.error)}"
            _write(logging.ERROR, outcome, text)
        elif outcome.event == State.CANCELLED:
            reason = f": {safe(outcome.error)}" if outcome.error else ""
            seconds = _seconds(outcome)
            text = f"stopped after {seconds:.3f} s" if outcome.started_ms else "cancelled before it began"
            # A user has asked for this end: it is not an error, and the traceback is in the history.
            _write(logging.INFO, replace(outcome, exception=None), f"{text}{reason}")
        elif outcome.event == State.RELEASED and outcome.error:
            text = f"released, due again in {outcome.delay_ms / 1000:.1f} s"
            # A job that snoozes has not failed.
            level = logging.WARNING if outcome.exception else logging.INFO
            _write(level, outcome, f"{text}: {safe(outcome.error)}")
        elif outcome.event == State.RELEASED:
            _write(logging.INFO, outcome, outcome.event)
        else:
            _write(logging.WARNING, outcome, f"{outcome.event}: its outcome was refused")

    def flush(self, *, at_end: bool = False) -> None:
        """Log the number of short successful runs: at most once a second or, with ``at_end``, immediately."""
        now = time.monotonic()
        if self._count and (at_end or now - self._since >= 1):
            logger.info("%d done in the last %.1f s", self._count, now - self._since)
            self._count = 0
        if not self._count:
            self._since = now

    def _write_success(self, outcome: Outcome) -> None:
        seconds = _seconds(outcome)
        if self.log_jobs or seconds >= NOTABLE_SECONDS:
            _write(logging.INFO, outcome, f"done in {seconds:.3f} s")
        else:
            self._count += 1


def _write(level: int, outcome: Outcome, text: str) -> None:
    fields = {name: safe(cut(as_text(value))) for name, value in outcome.log_fields.items()}
    job: dict[str, Any] = {
        "queue": outcome.queue, "id": outcome.id, "state": outcome.event, "handler": outcome.handler,
        "attempt": outcome.attempts, "crashes": outcome.crashes, "rc": outcome.rc,
        "seconds": _seconds(outcome),
    }  # fmt: skip
    shown = "".join(f" {name}={value}" for name, value in fields.items())
    logger.log(
        level, "%s %s %s%s", outcome.queue, safe(outcome.id), text, shown,
        exc_info=outcome.exception, extra={"job": {**outcome.log_fields, **job}},
    )  # fmt: skip


def _seconds(outcome: Outcome) -> float:
    return (outcome.finished_ms - outcome.started_ms) / 1000 if outcome.started_ms else 0.0


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time, level, logger and message.

    A record that is logged within a run also has the run's queue, message id, receive count, attempt and
    fields.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as one line of ASCII. A value that JSON does not know is written as text."""
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A field that a handler adds replaces none of these.
        line: dict[str, Any] = {**head, **_run(), **getattr(record, "job", {}), **head}
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        # ASCII, so that nothing in a message breaks the line or the collector's encoding.
        try:
            return json.dumps(line, default=as_text)
        except Exception:
            # A handler may add any object to its lines.
            return json.dumps({name: as_text(value) for name, value in line.items()})


def use_json() -> None:
    """Make all log handlers write JSON."""
    named = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for logger in [logging.root, *named]:
        for handler in logger.handlers:
            handler.setFormatter(JsonFormatter())
    if logging.lastResort:  # It prints the records that no handler takes.
        logging.lastResort.setFormatter(JsonFormatter())


def _run() -> dict[str, Any]:
    """The fields of the run that is logging, ``{}`` outside a run."""
    context = current.get()
    if context is None:
        return {}
    id, rc = context.receipt
    return {**context.log_fields, "queue": context.queue, "id": id, "rc": rc, "attempt": context.attempt}


def open_outlet() -> None:
    """Print the records of the logger ``queueing`` to stderr if no handler receives them. Keep Django's lines
    about failed tasks from being printed in addition to the worker's lines.
    """
    logger = logging.getLogger("queueing")
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter(FORMAT))
        logger.addHandler(handler)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    for name in OF_TASKS:
        _print_once(logging.getLogger(name))


def _print_once(of_tasks: logging.Logger) -> None:
    """Keep the logger of Django's tasks off the terminal, because the worker prints a line for each outcome.

    Other handlers, for example for files or mails, still receive the records. If the project has given this
    logger a handler, nothing changes.
    """
    if of_tasks.handlers:
        return
    if logging.lastResort:
        logging.lastResort.addFilter(_is_not_of_tasks)
    above: logging.Logger | None = of_tasks
    while above is not None:
        for handler in above.handlers:
            if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
                handler.addFilter(_is_not_of_tasks)
        above = above.parent if above.propagate else None


def _is_not_of_tasks(record: logging.LogRecord) -> bool:
    return record.name not in OF_TASKS


_Handle = Callable[[logging.LogRecord], None]

_reported: set[str] = set()


def steady() -> None:
    """Make ``STEADY_LOGGERS`` catch errors of their handlers, and shorten messages and tracebacks.

    A second call changes nothing.
    """
    for name in STEADY_LOGGERS:
        logger = logging.getLogger(name)
        if not isinstance(logger.handle, _Steady):
            logger.handle = _Steady(logger.handle)  # type: ignore[method-assign]
            logger.makeRecord = partial(_make_record, logger.makeRecord)  # type: ignore[method-assign]


class _Steady:
    """A replacement for a logger's ``handle`` that raises nothing."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def to(self, put: Callable[[_Handle, logging.LogRecord], None]) -> None:
        """From now on, call ``put(handle, record)`` instead of the original ``handle(record)``."""
        self._handle = partial(put, self._handle)

    def __call__(self, record: logging.LogRecord) -> None:
        try:
            if record.levelno >= logging.WARNING:
                _bound(record)
            self._handle(record)
        except BaseException as error:
            _report("handler or filter", error)


class LogThread:
    """A thread that prints the log of this process.

    If a handler of Python's logging hangs, for example on a full pipe, log lines are lost, but no other
    thread waits.
    """

    def __init__(self) -> None:
        self._records: queue.Queue[tuple[_Handle, logging.LogRecord]] = queue.Queue(MAX_WAITING)
        for name in STEADY_LOGGERS:
            handle = logging.getLogger(name).handle
            if isinstance(handle, _Steady):
                handle.to(self._put)
        threading.Thread(target=self._print, name="log", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Wait for at most ``seconds`` until all records are printed."""
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
    """Make a log record with ``make``, the project's record factory. If this fails, make a plain record."""
    try:
        return make(name, level, path, line, text, args, exc_info, function, extra, stack)
    except BaseException as error:
        _report("record factory", error)
        record = logging.LogRecord(name, level, path, line, text, args, exc_info, function, stack)
        record.__dict__.update(extra or {})
        return record


def _report(what: str, error: BaseException) -> None:
    """Print an error of a log handler, filter or record factory to stderr, once for each kind. Raises
    nothing.
    """
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
        # Formatters use this text as the traceback. Without it, they would make a traceback of unlimited
        # length.
        record.exc_text = trace(record.exc_info[1]).rstrip("\n")
