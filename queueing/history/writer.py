"""Write outcomes to the database: one job per message, one attempt per receipt.

All functions are idempotent. A job keeps its newest receipt, and an attempt keeps the outcome that was
recorded first.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import DataError, IntegrityError, transaction
from django.db.models import Q, QuerySet

from queueing.broker.decode import moment
from queueing.broker.outcomes import Outcome, State
from queueing.broker.timings import PLAUSIBLE_MS
from queueing.messages import sent_ms
from queueing.models import Attempt, Job

from . import bulk_insert
from .same_id import End, is_of_earlier, is_put_again, set_aside

logger = logging.getLogger("queueing")

#: Queue and message id of a job, in the form that the database can store.
Key = tuple[str, str]

#: Rows per statement. SQLite limits the number of variables.
CHUNK = 500
#: Rows per transaction of a deletion.
PRUNE_CHUNK = 1000
#: The module whose exceptions are written without a module.
BUILTIN = "builtins."
#: Limits of the columns in every supported database.
MAX_RC, MAX_COUNT = 2**63 - 1, 2**31 - 1

#: Errors about the values of one row. Drivers raise the last two for values that they cannot send.
BAD_ROW = (DataError, IntegrityError, UnicodeError, OverflowError)

_UPDATED = [
    "handler", "state", "rc", "attempts", "crashes", "started_at", "finished_at", "wait_ms", "run_ms",
    "worker", "error", "exception", "result",
]  # fmt: skip


class Known(NamedTuple):
    """A job in the database: its primary key and its newest delivery."""

    pk: int
    end: End


def write(outcomes: Sequence[Outcome]) -> None:
    """Record outcomes. If the database refuses the values of a row, the row is stored without its texts.

    Raises ``DatabaseError`` for any other reason. The rows are then valid, and the caller tries again later.
    """
    for start in range(0, len(outcomes), CHUNK):
        chunk = outcomes[start : start + CHUNK]
        if not _is_written(chunk):
            for outcome in chunk:
                _write_somehow(outcome)


def outcomes_of(message_id: str) -> list[Outcome]:
    """The recorded outcomes of a message, one per receipt, oldest first.

    Each has the body, and the newest has the result. Raises ``DatabaseError``.
    """
    outcomes: list[Outcome] = []
    for job in Job.objects.filter(message_id=message_id).prefetch_related("history"):
        for attempt in job.history.all():
            outcomes.append(_recorded(job, attempt))
    return sorted(outcomes, key=lambda outcome: outcome.rc)


def _recorded(job: Job, attempt: Attempt) -> Outcome:
    return Outcome(
        job.queue, job.message_id, attempt.rc, State(attempt.outcome), attempt.worker, attempt.handler,
        started_ms=attempt.started_at.timestamp() * 1000 if attempt.started_at else None,
        finished_ms=attempt.finished_at.timestamp() * 1000,
        body=job.body,
        error=attempt.error,
        error_class=_class_path(attempt),
        traceback=attempt.traceback,
        result=job.result if attempt.rc == job.rc else "",
    )  # fmt: skip


def prune(*, days: int, rows: int) -> None:
    """Delete jobs that finished more than ``days`` ago, and all but the newest ``rows`` jobs."""
    _delete(Job.objects.filter(finished_at__lt=datetime.now(UTC) - timedelta(days=days)))
    newest_to_go = Job.objects.order_by("-id").values_list("id", flat=True)[rows : rows + 1].first()
    if newest_to_go is not None:
        _delete(Job.objects.filter(id__lte=newest_to_go))


def forget(ids: Sequence[int]) -> None:
    """Delete jobs and their attempts by primary key, at most a thousand in one call."""
    with transaction.atomic(using=Job.objects.db):
        Attempt.objects.filter(job__in=ids)._raw_delete(using=Job.objects.db)
        Job.objects.filter(id__in=ids)._raw_delete(using=Job.objects.db)


def _delete(jobs: QuerySet[Job]) -> None:
    while ids := list(jobs.order_by("id").values_list("id", flat=True)[:PRUNE_CHUNK]):
        forget(ids)


def _is_written(outcomes: Sequence[Outcome]) -> bool:
    """Write outcomes in one transaction. Returns whether the database accepted them."""
    try:
        _write_together(outcomes)
    except BAD_ROW as error:
        logger.warning("the database refused a row of %d: %s", len(outcomes), sentence(error))
        return False
    return True


def _write_somehow(outcome: Outcome) -> None:
    if _is_written([outcome]) or _is_written([_bare(outcome)]):
        return
    _try_plain_row()
    logger.error("%s %s could not be recorded: %s", outcome.queue, outcome.id, outcome.event)


def _try_plain_row() -> None:
    """Raise an error if the database refuses even a plain row, for example because a table is missing."""
    with transaction.atomic(using=Job.objects.db):
        _write_together([Outcome("", "", 0, State.DONE, "")])
        transaction.set_rollback(True, using=Job.objects.db)


def _write_together(outcomes: Sequence[Outcome]) -> None:
    with transaction.atomic(using=Job.objects.db):
        _write_all(outcomes)


def _write_all(outcomes: Sequence[Outcome]) -> None:
    outcomes = [_bounded(outcome) for outcome in outcomes]
    keys = list(map(_key, outcomes))
    known = _find(set(keys))
    ends = {key: job.end for key, job in known.items()}
    fresh: list[Outcome] = []
    for index, (key, outcome) in enumerate(zip(keys, outcomes, strict=True)):
        end = ends.get(key)
        if end and is_put_again(*key, end, outcome, _finished(outcome)):
            _write_new(fresh, known)
            set_aside(*key)
            _write_all(outcomes[index:])
            return
        if end and is_of_earlier(*key, end, outcome, _finished(outcome)):
            continue
        fresh.append(outcome)
        if not end or outcome.rc >= end.rc:
            ends[key] = End(outcome.rc, outcome.event, outcome.finished_ms)
    _write_new(fresh, known)


def _write_new(outcomes: Sequence[Outcome], known: Mapping[Key, Known]) -> None:
    newest: dict[Key, Outcome] = {}
    waits: dict[Key, float] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.rc):
        key = _key(outcome)
        if key not in newest or outcome.rc > newest[key].rc:
            newest[key] = outcome
        if key not in waits and (wait_ms := _wait_ms(outcome)) is not None:
            waits[key] = wait_ms
    known = {key: job for key, job in known.items() if key in newest}
    bulk_insert.insert(
        Job, [_new_job(key, outcome, waits) for key, outcome in newest.items() if key not in known]
    )
    _update({key: newest[key] for key, job in known.items() if newest[key].rc > job.end.rc}, waits)
    known |= _find([key for key in newest if key not in known])
    bulk_insert.insert(
        Attempt,
        [_attempt(known[_key(outcome)].pk, outcome) for outcome in outcomes],
    )


def sentence(error: Exception) -> str:
    """The first line of a database error. PostgreSQL quotes the refused row in the following lines."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _key(outcome: Outcome) -> Key:
    return outcome.queue, _text(outcome.id, 64)


def _find(keys: Iterable[Key]) -> dict[Key, Known]:
    """The jobs with these keys that exist in the database."""
    if not (wanted := _where(keys)):
        return {}
    rows = Job.objects.filter(wanted).values_list("queue", "message_id", "pk", "rc", "state", "finished_at")
    return {
        (queue, id): Known(pk, End(rc, State(state), finished_at.timestamp() * 1000))
        for queue, id, pk, rc, state, finished_at in rows
    }


def _where(keys: Iterable[Key]) -> Q:
    by_queue: dict[str, list[str]] = {}
    for queue, id in keys:
        by_queue.setdefault(queue, []).append(id)
    wanted = Q()
    for queue, ids in by_queue.items():
        wanted |= Q(queue=queue, message_id__in=ids)
    return wanted


def _new_job(key: Key, outcome: Outcome, waits: Mapping[Key, float]) -> dict[str, Any]:
    queue, id = key
    body, is_whole = _body(outcome)
    sent_at = moment(sent_ms(outcome.id))
    row = {"queue": queue, "message_id": id, "body": body, "body_is_whole": is_whole, "sent_at": sent_at}
    return row | {"wait_ms": waits.get(key)} | _ending(outcome)


def _update(newest: dict[Key, Outcome], waits: Mapping[Key, float]) -> None:
    """Update jobs with later deliveries. ``waits`` has the wait times of first deliveries."""
    if not newest:
        return
    jobs = list(Job.objects.filter(_where(newest)).defer("body", "error", "result"))
    made_whole = []
    for job in jobs:
        outcome = newest[job.queue, job.message_id]
        for name, value in _ending(outcome).items():
            setattr(job, name, value or job.handler if name == "handler" else value)
        if job.wait_ms is None:
            job.wait_ms = waits.get((job.queue, job.message_id))
        body, is_whole = _body(outcome)
        if is_whole and not job.body_is_whole:
            # An earlier outcome of the job had no body.
            job.body, job.body_is_whole = body, True
            made_whole.append(job)
    Job.objects.bulk_update(jobs, _UPDATED, batch_size=100)
    Job.objects.bulk_update(made_whole, ["body", "body_is_whole"], batch_size=100)


def _body(outcome: Outcome) -> tuple[str, bool]:
    """The payload in the form that the database can store, and whether it is complete."""
    body = _text(outcome.body)
    return body, outcome.body_is_whole and body == outcome.body


def _ending(outcome: Outcome) -> dict[str, Any]:
    """The columns of a job that describe its newest delivery."""
    run_ms = max(0.0, outcome.finished_ms - outcome.started_ms) if outcome.started_ms else None
    return {
        "handler": _text(outcome.handler, 255),
        "state": str(outcome.event),
        "rc": outcome.rc,
        "attempts": outcome.attempts,
        "crashes": outcome.crashes,
        "started_at": moment(outcome.started_ms),
        "finished_at": _finished(outcome),
        "run_ms": run_ms,
        "worker": _text(outcome.worker, 255),
        "error": _text(outcome.error),
        "exception": _exception(outcome),
        "result": _text(outcome.result),
    }


def _wait_ms(outcome: Outcome) -> float | None:
    """The ms that a message waited before its first start, since its due time or, if unknown, its sending.

    The back-off before a retry does not count, so a job has the wait of its first delivery.
    """
    since_ms = outcome.due_ms or sent_ms(outcome.id)
    if not outcome.started_ms or since_ms < PLAUSIBLE_MS:
        return None
    return max(0.0, outcome.started_ms - since_ms)


def _attempt(job: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "job_id": job,
        "rc": outcome.rc,
        "outcome": str(outcome.event),
        "handler": _text(outcome.handler, 255),
        "started_at": moment(outcome.started_ms),
        "finished_at": _finished(outcome),
        "worker": _text(outcome.worker, 255),
        "error": _text(outcome.error),
        "exception": _exception(outcome),
        "traceback": _text(outcome.traceback),
    }


def _bounded(outcome: Outcome) -> Outcome:
    """The outcome with its counts limited to the range of the columns."""
    if outcome.rc <= MAX_RC and outcome.attempts <= MAX_COUNT and outcome.crashes <= MAX_COUNT:
        return outcome
    return replace(
        outcome,
        rc=min(outcome.rc, MAX_RC),
        attempts=min(outcome.attempts, MAX_COUNT),
        crashes=min(outcome.crashes, MAX_COUNT),
    )


def _bare(outcome: Outcome) -> Outcome:
    return Outcome(
        outcome.queue, outcome.id, outcome.rc, outcome.event, outcome.worker, outcome.handler,
        outcome.started_ms, outcome.finished_ms, outcome.attempts, outcome.crashes, body_is_whole=False,
    )  # fmt: skip


def _exception(outcome: Outcome) -> str | None:
    """The text that groups failures: the class of the exception, else the start of the error text."""
    if not outcome.event.counts_as_failure:
        return None
    if outcome.error_class:
        return _text(outcome.error_class.removeprefix(BUILTIN), 255)
    return _text(outcome.error.partition(":")[0].strip(), 255) or outcome.event


def _class_path(attempt: Attempt) -> str:
    """The dotted path of the exception's class, ``""`` if the attempt ended in another way."""
    path = attempt.exception or ""
    if not attempt.error or not path.rpartition(".")[2].isidentifier():
        return ""  # The text describes a crash.
    return path if "." in path else BUILTIN + path


def _finished(outcome: Outcome) -> datetime:
    """The end of a delivery, or now if it has none: the column requires a value."""
    return moment(outcome.finished_ms) or datetime.now(UTC)


def _text(text: str, length: int | None = None) -> str:
    """A text that every database can store. NUL and lone surrogates become escapes."""
    if "\x00" in text or not text.isascii():
        text = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if length is None else text[:length]
