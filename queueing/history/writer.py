"""Writes outcomes to the database: one job per message, one attempt per delivery.

All functions are idempotent. A job has the values of its newest delivery. If several outcomes of a delivery
are recorded, the attempt keeps the first one.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import DataError, IntegrityError, OperationalError, connections, transaction
from django.db.models import Q, QuerySet

from queueing.broker.decode import moment
from queueing.broker.outcomes import Outcome, State, parts
from queueing.models import Attempt, Job

from . import bulk, new_jobs
from .bulk import times
from .columns import COLUMNS, OF_ATTEMPT, UPDATED, Column, Key, bounded, class_path, keys, table
from .same_id import End, is_of_earlier, is_put_again, set_aside

logger = logging.getLogger("queueing")

#: Columns by their names.
Columns = Mapping[str, Column]

#: Outcomes per transaction.
CHUNK = 2000
#: Messages per query for existing jobs. SQLite limits the number of variables in a query.
LOOKED_UP = 500
#: Rows per transaction of a deletion.
PRUNE_CHUNK = 1000
#: Errors that the values of a row cause. Database drivers raise the last two for values that they cannot
#: send.
BAD_ROW = (DataError, IntegrityError, UnicodeError, OverflowError)
#: Codes of MySQL and MariaDB for characters that a column cannot store, for example emoji in ``utf8mb3``.
#: Their driver raises ``OperationalError`` for these codes.
BAD_CHARACTERS = {1267, 1300, 1366, 3854, 3988}


class Known(NamedTuple):
    """A job in the database: its primary key, its newest delivery, and values that an update may keep.

    ``handler`` is replaced only if the later delivery has a handler. A ``wait_ms`` that is known, and a body
    that is stored completely, are never replaced.
    """

    pk: int
    end: End
    handler: str
    wait_ms: float | None
    body_is_whole: bool


def write(outcomes: Sequence[Outcome]) -> None:
    """Record outcomes. A row whose values the database refuses is stored without payload, result and error.

    Raises ``DatabaseError`` if the database fails in any other way. The call can then be repeated.
    """
    for part in parts(outcomes):
        for start in range(0, len(part), CHUNK):
            _write_part(part[start : start + CHUNK])


def outcomes_of(message_id: str) -> list[Outcome]:
    """The recorded outcomes of a message, one per delivery, oldest first. ``[]`` if there are none.

    Each outcome has the body of the message. Only the newest has the result. Raises ``DatabaseError``.
    """
    # A single query reads both tables. With two queries, the recorder could write a newer outcome after the
    # first one. The result would then be missing.
    attempts = Attempt.objects.filter(job__message_id=message_id).select_related("job")
    return sorted((_recorded(attempt.job, attempt) for attempt in attempts), key=lambda outcome: outcome.rc)


def _recorded(job: Job, attempt: Attempt) -> Outcome:
    return Outcome(
        job.queue, job.message_id, attempt.rc, State(attempt.outcome), attempt.worker, attempt.handler,
        started_ms=attempt.started_at.timestamp() * 1000 if attempt.started_at else None,
        finished_ms=attempt.finished_at.timestamp() * 1000,
        body=job.body,
        error=attempt.error,
        error_class=class_path(attempt.error, attempt.exception),
        traceback=attempt.traceback,
        result=job.result if attempt.rc == job.rc else "",
    )  # fmt: skip


def prune(*, days: int, rows: int) -> None:
    """Delete jobs that finished more than ``days`` days ago.

    If more than ``rows`` jobs are left, the oldest of them are deleted, too.
    """
    _delete(Job.objects.filter(finished_at__lt=datetime.now(UTC) - timedelta(days=days)))
    ids = Job.objects.values_list("id", flat=True)
    first, last = ids.order_by("id").first(), ids.order_by("-id").first()
    if first is None or last is None or last - first < rows:
        # There cannot be more rows than ids. To count ten million rows would take a second.
        return
    newest_to_go = Job.objects.order_by("-id").values_list("id", flat=True)[rows : rows + 1].first()
    if newest_to_go is not None:
        _delete(Job.objects.filter(id__lte=newest_to_go))


def forget(ids: Sequence[int]) -> None:
    """Delete jobs and their attempts by primary key. One call may have at most a thousand ``ids``."""
    with transaction.atomic(using=Job.objects.db):
        Attempt.objects.filter(job__in=ids)._raw_delete(using=Job.objects.db)
        Job.objects.filter(id__in=ids)._raw_delete(using=Job.objects.db)


def _delete(jobs: QuerySet[Job]) -> None:
    while ids := list(jobs.order_by("id").values_list("id", flat=True)[:PRUNE_CHUNK]):
        forget(ids)


def _write_part(outcomes: Sequence[Outcome]) -> None:
    """Write outcomes in one transaction.

    If the database refuses a value, the outcomes are split in halves until the row with this value is found.
    That row is stored without payload, result and error. If even this is refused, it is only logged.
    """
    if not outcomes or _is_written(outcomes):
        return
    if len(outcomes) > 1:
        middle = len(outcomes) // 2
        _write_part(outcomes[:middle])
        _write_part(outcomes[middle:])
        return
    [outcome] = outcomes
    if not _is_written([_bare(outcome)]):
        _try_plain_row()
        logger.error("%s %s could not be recorded: %s", outcome.queue, outcome.id, outcome.event)


def _is_written(outcomes: Sequence[Outcome]) -> bool:
    """Write outcomes in one transaction. Returns whether the database accepted the values."""
    try:
        _write_together(outcomes)
    except (*BAD_ROW, OperationalError) as error:
        if isinstance(error, OperationalError) and not BAD_CHARACTERS.intersection(error.args[:1]):
            raise
        if len(outcomes) == 1:
            logger.warning("the database refused a row: %s", sentence(error))
        return False
    return True


def _try_plain_row() -> None:
    """Raise an error if the database refuses even a row without content, for example because a table is
    missing.
    """
    with transaction.atomic(using=Job.objects.db):
        _write_together([Outcome("", "", 0, State.DONE, "")])
        transaction.set_rollback(True, using=Job.objects.db)


def _write_together(outcomes: Sequence[Outcome]) -> None:
    with transaction.atomic(using=Job.objects.db):
        rest = new_jobs.insert([bounded(outcome) for outcome in outcomes])
        for start in range(0, len(rest), LOOKED_UP):
            _write_known(rest[start : start + LOOKED_UP])


def _write_known(outcomes: Sequence[Outcome]) -> None:
    """Write outcomes of messages that may have rows already."""
    found = keys(outcomes)
    known = _find(set(found))
    ends = {key: job.end for key, job in known.items()}
    fresh: list[Outcome] = []
    for index, (key, outcome) in enumerate(zip(found, outcomes, strict=True)):
        end = ends.get(key)
        if end and is_put_again(*key, end, outcome, _finished(outcome)):
            _write_new(fresh, known)
            set_aside(*key)
            _write_known(outcomes[index:])
            return
        if end and is_of_earlier(*key, end, outcome, _finished(outcome)):
            continue
        fresh.append(outcome)
        if not end or outcome.rc >= end.rc:
            ends[key] = End(outcome.rc, outcome.event, outcome.finished_ms)
    _write_new(fresh, known)


def _write_new(outcomes: Sequence[Outcome], known: Mapping[Key, Known]) -> None:
    outcomes = sorted(outcomes, key=lambda outcome: outcome.rc)
    columns = dict(zip(COLUMNS, table(outcomes, times(connections[Job.objects.db])), strict=True))
    found, newest = keys(outcomes), dict[Key, int]()
    waits = dict[Key, float | None]()
    for index, (key, outcome) in enumerate(zip(found, outcomes, strict=True)):
        if key not in newest or outcome.rc > outcomes[newest[key]].rc:
            newest[key] = index
        if waits.get(key) is None:
            waits[key] = columns["wait_ms"][index]
    new = [key for key in newest if key not in known]
    if new:
        jobs = _picked(columns, COLUMNS[:-1], [newest[key] for key in new])
        bulk.insert(Job, jobs | {"wait_ms": [waits[key] for key in new]})
        known = {**known, **_find(new)}
    _update(
        columns, {key: at for key, at in newest.items() if outcomes[at].rc > known[key].end.rc}, waits, known
    )
    attempts = {name: columns[column] for column, name in OF_ATTEMPT.items()}
    if outcomes:
        bulk.insert(Attempt, {"job_id": [known[key].pk for key in found]} | attempts)


def _update(
    columns: Columns, newest: Mapping[Key, int], waits: Mapping[Key, float | None], known: Mapping[Key, Known]
) -> None:
    """Update jobs with the values of later deliveries.

    ``newest`` has the index in ``columns`` of each job's newest delivery. ``waits`` has the time in ms that
    each message waited for its first known start.
    """
    if not newest:
        return
    jobs = [known[key] for key in newest]
    changes = _picked(columns, UPDATED, newest.values())
    changes["handler"] = [new or job.handler for new, job in zip(changes["handler"], jobs, strict=True)]
    changes["wait_ms"] = [
        waits[key] if job.wait_ms is None else job.wait_ms for key, job in zip(newest, jobs, strict=True)
    ]
    bulk.update(Job, [job.pk for job in jobs], changes)
    # If the row of a job has no whole body, because earlier outcomes came without one, store the new body.
    whole = [
        (job.pk, at)
        for job, at in zip(jobs, newest.values(), strict=True)
        if columns["body_is_whole"][at] and not job.body_is_whole
    ]
    if whole:
        ids, places = zip(*whole, strict=True)
        bulk.update(Job, ids, _picked(columns, ("body", "body_is_whole"), places))


def _picked(columns: Columns, names: Iterable[str], places: Iterable[int]) -> dict[str, Column]:
    """The columns ``names``, with only the rows at the indexes ``places``."""
    return {name: [columns[name][place] for place in places] for name in names}


def sentence(error: Exception) -> str:
    """The first line of a database error.

    The other lines are left out, because PostgreSQL quotes the row there.
    """
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _find(keys: Iterable[Key]) -> dict[Key, Known]:
    """Read the jobs that the database has for ``keys``. Returns them by key."""
    if not (wanted := _where(keys)):
        return {}
    rows = Job.objects.filter(wanted).values_list(
        "queue", "message_id", "rc", "state", "finished_at", "pk", "handler", "wait_ms", "body_is_whole"
    )
    return {
        (queue, id): Known(
            pk, End(rc, State(state), finished_at.timestamp() * 1000), handler, waited, is_whole
        )
        for queue, id, rc, state, finished_at, pk, handler, waited, is_whole in rows
    }


def _where(keys: Iterable[Key]) -> Q:
    by_queue: dict[str, list[str]] = {}
    for queue, id in keys:
        by_queue.setdefault(queue, []).append(id)
    wanted = Q()
    for queue, ids in by_queue.items():
        wanted |= Q(queue=queue, message_id__in=ids)
    return wanted


def _bare(outcome: Outcome) -> Outcome:
    return Outcome(
        outcome.queue, outcome.id, outcome.rc, outcome.event, outcome.worker, outcome.handler,
        outcome.started_ms, outcome.finished_ms, outcome.attempts, outcome.crashes, body_is_whole=False,
    )  # fmt: skip


def _finished(outcome: Outcome) -> datetime:
    """The time at which the delivery ended or, if it is unknown, the present time. It is never ``None``."""
    return moment(outcome.finished_ms) or datetime.now(UTC)
