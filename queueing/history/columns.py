"""Converts outcomes to columns for the tables of jobs and attempts, in a form that every database can store.

Each column is converted and checked as a whole, because single values would take longer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from queueing.broker.decode import moment
from queueing.broker.outcomes import Outcome
from queueing.broker.timings import PLAUSIBLE_MS
from queueing.messages import sent_ms

#: The module of the built-in exceptions, whose names are stored without the module.
BUILTIN = "builtins."
#: Limits of the columns in every supported database.
MAX_RC, MAX_COUNT = 2**63 - 1, 2**31 - 1
#: Every database can store times in ms below this limit, the first day of the year 9999.
SURE_MS = 253_370_764_800_000

#: The columns of a job in the order of ``table``. The last one, the traceback, exists only in attempts. The
#: column ``state`` of a job is called ``outcome`` in attempts.
COLUMNS = (
    "queue", "message_id", "sent_at", "wait_ms", "handler", "state", "rc", "attempts", "crashes",
    "started_at", "finished_at", "run_ms", "worker", "body", "body_is_whole",
    "error", "exception", "result", "traceback",
)  # fmt: skip
#: The columns of a job that its newest delivery determines.
UPDATED = COLUMNS[4:13] + COLUMNS[15:18]
#: The columns of an attempt: name in ``COLUMNS`` -> name in the attempt.
OF_ATTEMPT = {
    "rc": "rc", "state": "outcome", "handler": "handler", "started_at": "started_at",
    "finished_at": "finished_at", "worker": "worker", "error": "error", "exception": "exception",
    "traceback": "traceback",
}  # fmt: skip

#: Queue and message id of a job.
Key = tuple[str, str]
Column = Sequence[Any]
#: Converts a column of times in ms (``None`` for no time) to the form that a database stores.
Times = Callable[[Column], Column]

_VALUES = attrgetter(
    "queue", "id", "rc", "event", "handler", "started_ms", "finished_ms", "attempts", "crashes", "worker",
    "body", "body_is_whole", "error", "result", "traceback", "due_ms",
)  # fmt: skip


def table(outcomes: Sequence[Outcome], times: Times) -> list[Column]:
    """The values of ``COLUMNS`` for these outcomes, one sequence for each column.

    The column ``wait_ms`` is right only for first deliveries. For a retry, its value includes the back-off,
    and callers must not store it.
    """
    if not outcomes:
        return [()] * len(COLUMNS)
    given = zip(*map(_VALUES, outcomes), strict=True)
    queue, id, rc, event, handler, started, finished, attempts, crashes, worker, body, whole, *rest = given
    error, result, traceback, due = rest
    sent, kept = list(map(sent_ms, id)), texts(body)
    now_ms = datetime.now(UTC).timestamp() * 1000
    return [
        texts(queue), texts(id, 64), times(sure(sent)), list(map(wait_ms, started, due, sent)),
        texts(handler, 255), list(map(str, event)), rc, attempts, crashes, times(sure(started)),
        # The column requires a value.
        times([ms or now_ms for ms in sure(finished)]),
        [max(0.0, end - start) if start else None for start, end in zip(started, finished, strict=True)],
        texts(worker, 255), kept,
        [flag and one == other for flag, one, other in zip(whole, body, kept, strict=True)],
        texts(error), list(map(exception, outcomes)), texts(result), texts(traceback),
    ]  # fmt: skip


def keys(outcomes: Sequence[Outcome]) -> list[Key]:
    """The queue and message id of each outcome, as they are stored. Together they identify a job."""
    return list(
        zip(texts([one.queue for one in outcomes]), texts([one.id for one in outcomes], 64), strict=True)
    )


def wait_ms(started_ms: float | None, due_ms: float, sent: float) -> float | None:
    """How long a message waited for its start, in ms. All arguments are ms since 1970.

    The wait begins at ``due_ms`` or, if this is 0, at ``sent``. Returns ``None`` if the message has not
    started, or if the beginning is not plausible because it is before 2001.
    """
    since_ms = due_ms or sent
    return max(0.0, started_ms - since_ms) if started_ms and since_ms >= PLAUSIBLE_MS else None


def sure(column: Column) -> Column:
    """``column`` (times in ms), with ``None`` in place of 0 and of times that are out of range."""
    if None not in column and min(column) > 0 and max(column) < SURE_MS:
        return column
    return [ms if moment(ms) else None for ms in column]


def bounded(outcome: Outcome) -> Outcome:
    """The outcome with its receive count, attempts and crashes limited to what the columns can store."""
    if outcome.rc <= MAX_RC and outcome.attempts <= MAX_COUNT and outcome.crashes <= MAX_COUNT:
        return outcome
    return replace(
        outcome,
        rc=min(outcome.rc, MAX_RC),
        attempts=min(outcome.attempts, MAX_COUNT),
        crashes=min(outcome.crashes, MAX_COUNT),
    )


def exception(outcome: Outcome) -> str | None:
    """The text by which failures are grouped, or ``None`` if the outcome is not a failure.

    It is the class of the exception. If that is unknown, it is the error text up to its first colon or,
    without an error text, the state.
    """
    if not outcome.event.counts_as_failure:
        return None
    if outcome.error_class:
        return text(outcome.error_class.removeprefix(BUILTIN), 255)
    return text(outcome.error.partition(":")[0].strip(), 255) or outcome.event


def class_path(error: str, exception: str | None) -> str:
    """The dotted path of the exception that ended an attempt, ``""`` if no exception ended it.

    The arguments are the values of the attempt's columns ``error`` and ``exception``.
    """
    path = exception or ""
    if not error or not path.rpartition(".")[2].isidentifier():
        return ""  # The text describes a crash.
    return path if "." in path else BUILTIN + path


def texts(column: Column, length: int | None = None) -> Column:
    """Convert a column of texts to a form that every database can store, as ``text`` does."""
    joined = "".join(column)
    is_fit = joined.isascii() and "\x00" not in joined
    if is_fit and (length is None or max(map(len, column), default=0) <= length):
        return column
    return [text(one, length) for one in column]


def text(text: str, length: int | None = None) -> str:
    """Convert ``text`` to a form that every database can store: NUL and lone surrogates are escaped.

    The result has at most ``length`` characters.
    """
    if "\x00" in text or not text.isascii():
        text = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if length is None else text[:length]
