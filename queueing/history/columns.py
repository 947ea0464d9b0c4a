"""The values of a job's columns, and of those of its attempts, in the form that every database can store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from queueing.broker.decode import moment
from queueing.broker.outcomes import Outcome
from queueing.broker.timings import PLAUSIBLE_MS
from queueing.messages import sent_ms

#: The module whose exceptions are written without a module.
BUILTIN = "builtins."
#: Limits of the columns in every supported database.
MAX_RC, MAX_COUNT = 2**63 - 1, 2**31 - 1

#: The columns of a job in the order of ``values``, and the last one, which only attempts have. Attempts call
#: the state of a job ``outcome``.
COLUMNS = (
    "queue", "message_id", "sent_at", "wait_ms", "handler", "state", "rc", "attempts", "crashes",
    "started_at", "finished_at", "run_ms", "worker", "body", "body_is_whole",
    "error", "exception", "result", "traceback",
)  # fmt: skip
#: The columns of a job that its newest delivery determines.
UPDATED = COLUMNS[4:13] + COLUMNS[15:18]
#: The columns that attempts share with their job, by their names there.
OF_ATTEMPT = {
    "rc": "rc", "state": "outcome", "handler": "handler", "started_at": "started_at",
    "finished_at": "finished_at", "worker": "worker", "error": "error", "exception": "exception",
    "traceback": "traceback",
}  # fmt: skip


def values(outcome: Outcome, at: Callable[[float | None], Any] = moment) -> tuple[Any, ...]:
    """The values of ``COLUMNS`` for one outcome. ``at`` converts ms to the form of times.

    The wait holds for a first delivery. For a retry, the back-off does not count.
    """
    started_ms, finished_ms, body = outcome.started_ms, outcome.finished_ms, outcome.body
    kept = text(body)
    sent = sent_ms(outcome.id)
    return (
        text(outcome.queue), text(outcome.id, 64), at(sent), wait_ms(outcome, sent),
        text(outcome.handler, 255), str(outcome.event), outcome.rc, outcome.attempts, outcome.crashes,
        at(started_ms),
        # The column requires a value.
        at(finished_ms) or at(datetime.now(UTC).timestamp() * 1000),
        max(0.0, finished_ms - started_ms) if started_ms else None,
        text(outcome.worker, 255), kept, outcome.body_is_whole and kept == body,
        text(outcome.error), exception(outcome), text(outcome.result), text(outcome.traceback),
    )  # fmt: skip


def wait_ms(outcome: Outcome, sent: float) -> float | None:
    """The ms that a message waited before its first start, since its due time or, if unknown, its sending."""
    since_ms = outcome.due_ms or sent
    if not outcome.started_ms or since_ms < PLAUSIBLE_MS:
        return None
    return max(0.0, outcome.started_ms - since_ms)


def bounded(outcome: Outcome) -> Outcome:
    """The outcome with its counts limited to the range of the columns."""
    if outcome.rc <= MAX_RC and outcome.attempts <= MAX_COUNT and outcome.crashes <= MAX_COUNT:
        return outcome
    return replace(
        outcome,
        rc=min(outcome.rc, MAX_RC),
        attempts=min(outcome.attempts, MAX_COUNT),
        crashes=min(outcome.crashes, MAX_COUNT),
    )


def exception(outcome: Outcome) -> str | None:
    """The text that groups failures: the class of the exception, else the start of the error text."""
    if not outcome.event.counts_as_failure:
        return None
    if outcome.error_class:
        return text(outcome.error_class.removeprefix(BUILTIN), 255)
    return text(outcome.error.partition(":")[0].strip(), 255) or outcome.event


def class_path(error: str, exception: str | None) -> str:
    """The dotted path of the exception's class, ``""`` if the attempt ended in another way."""
    path = exception or ""
    if not error or not path.rpartition(".")[2].isidentifier():
        return ""  # The text describes a crash.
    return path if "." in path else BUILTIN + path


def text(text: str, length: int | None = None) -> str:
    """A text that every database can store. NUL and lone surrogates become escapes."""
    if "\x00" in text or not text.isascii():
        text = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if length is None else text[:length]
