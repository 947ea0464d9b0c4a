"""Writes outcomes into the database: one row per message, one attempt per receipt.

Every function may be called again with the same outcomes: a row keeps its newest receipt, and the
first outcome that was recorded for a receipt stays.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Q

from .messages import sent_ms
from .models import Attempt, Job
from .outcomes import Outcome

logger = logging.getLogger("queueing")

#: Rows per statement: SQLite has a limit of variables.
CHUNK = 500
#: Rows that are deleted in one transaction.
PRUNE_CHUNK = 1000

_UPDATED = [
    "handler", "state", "rc", "attempts", "crashes", "started_at", "finished_at", "wait_ms", "run_ms",
    "worker", "error",
]  # fmt: skip


def write(outcomes: Sequence[Outcome]) -> None:
    """Record outcomes. A row that the database refuses is stored stripped of its texts, never lost.

    Raises ``DatabaseError`` where the database is away.
    """
    for start in range(0, len(outcomes), CHUNK):
        chunk = outcomes[start : start + CHUNK]
        try:
            _write_together(chunk)
        except (OperationalError, InterfaceError):
            raise  # It is away or busy: nothing is wrong with the rows.
        except DatabaseError:
            _write_one_by_one(chunk)


def prune(*, days: int, rows: int) -> None:
    """Forget jobs that finished over ``days`` ago, and all but the newest ``rows``."""
    _delete(Job.objects.filter(finished_at__lt=datetime.now(UTC) - timedelta(days=days)))
    newest_to_go = Job.objects.order_by("-id").values_list("id", flat=True)[rows : rows + 1].first()
    if newest_to_go is not None:
        _delete(Job.objects.filter(id__lte=newest_to_go))


def _delete(jobs) -> None:
    while ids := list(jobs.order_by("id").values_list("id", flat=True)[:PRUNE_CHUNK]):
        with transaction.atomic():
            Attempt.objects.filter(job__in=ids)._raw_delete(using=jobs.db)
            Job.objects.filter(id__in=ids)._raw_delete(using=jobs.db)


def _write_one_by_one(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        try:
            _write_together([outcome])
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError as error:
            logger.warning("the database refused %s, stored without its texts: %s", outcome.id, error)
            _write_together([_bare(outcome)])


@transaction.atomic
def _write_together(outcomes: Sequence[Outcome]) -> None:
    newest: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        key = (outcome.queue, _text(outcome.id, 64))
        if key not in newest or outcome.rc > newest[key].rc:
            newest[key] = outcome
    jobs = _find(newest)
    missing = [_job(outcome) for key, outcome in newest.items() if key not in jobs]
    Job.objects.bulk_create(missing, ignore_conflicts=True)
    stale = [_updated(job, newest[key]) for key, job in jobs.items() if newest[key].rc > job.rc]
    Job.objects.bulk_update(stale, _UPDATED, batch_size=100)
    jobs |= _find({key for key in newest if key not in jobs})
    attempts = [_attempt(jobs[outcome.queue, _text(outcome.id, 64)], outcome) for outcome in outcomes]
    Attempt.objects.bulk_create(attempts, ignore_conflicts=True)


def _find(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Job]:
    by_queue: dict[str, list[str]] = {}
    for queue, id in keys:
        by_queue.setdefault(queue, []).append(id)
    wanted = Q(pk__in=[])
    for queue, ids in by_queue.items():
        wanted |= Q(queue=queue, message_id__in=ids)
    rows = Job.objects.filter(wanted).defer("body", "error") if by_queue else ()
    return {(job.queue, job.message_id): job for job in rows}


def _job(outcome: Outcome) -> Job:
    job = Job(queue=outcome.queue, message_id=_text(outcome.id, 64), body=_text(outcome.body))
    job.sent_at = _moment(sent_ms(outcome.id))
    return _updated(job, outcome)


def _updated(job: Job, outcome: Outcome) -> Job:
    job.state, job.rc, job.worker = outcome.event, outcome.rc, _text(outcome.worker, 255)
    job.handler = _text(outcome.handler, 255) or job.handler
    job.attempts, job.crashes = outcome.attempts, outcome.crashes
    job.started_at, job.finished_at = _moment(outcome.started_ms), _moment(outcome.finished_ms)
    job.error = _text(outcome.error)
    job.wait_ms = job.run_ms = None
    if outcome.started_ms:
        job.wait_ms = max(0.0, outcome.started_ms - sent_ms(outcome.id))
        job.run_ms = max(0.0, outcome.finished_ms - outcome.started_ms)
    return job


def _attempt(job: Job, outcome: Outcome) -> Attempt:
    return Attempt(
        job=job,
        rc=outcome.rc,
        outcome=outcome.event,
        started_at=_moment(outcome.started_ms),
        finished_at=_moment(outcome.finished_ms),
        worker=_text(outcome.worker, 255),
        error=_text(outcome.error),
        traceback=_text(outcome.traceback),
    )


def _bare(outcome: Outcome) -> Outcome:
    return Outcome(
        outcome.queue, outcome.id, outcome.rc, outcome.event, outcome.worker, outcome.handler,
        outcome.started_ms, outcome.finished_ms, outcome.attempts, outcome.crashes,
    )  # fmt: skip


def _moment(ms: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
    except (OverflowError, ValueError, OSError):
        return None


def _text(text: str, length: int | None = None) -> str:
    """What every database can hold: NUL and lone surrogates are shown as escapes."""
    if "\x00" in text or not text.isascii():
        text = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return text if length is None else text[:length]
