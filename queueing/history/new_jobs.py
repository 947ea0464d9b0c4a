"""Inserts the jobs and attempts of new messages with a few statements.

Most messages have only one outcome. Their jobs are inserted without a query for existing rows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from queueing.broker.outcomes import Outcome
from queueing.models import Attempt, Job

from . import arrays
from .bulk import times
from .columns import COLUMNS, OF_ATTEMPT, Column, Key, keys, table

#: The columns of a job. The last one of ``COLUMNS``, the traceback, exists only in attempts.
JOB = COLUMNS[:-1]
#: Positions of queue and message id, which identify a job.
KEY = slice(0, 2)
#: Messages per query for existing jobs. SQLite limits the number of variables in a query.
LOOKED_UP = 400


def insert(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Insert a job and an attempt for each outcome of a new message.

    The caller must have begun a transaction. Returns the outcomes that were not inserted, because their
    message has a row already, has had an earlier delivery, or has several of the ``outcomes``. On databases
    other than PostgreSQL and SQLite, all outcomes are returned. Raises ``DatabaseError``.
    """
    connection = connections[Job.objects.db]
    if connection.vendor not in _BY_VENDOR:
        return list(outcomes)
    counts = Counter(found := keys(outcomes))
    # If this is not the first delivery of the message, an earlier one has probably inserted the row.
    is_new = [one.rc <= 1 and counts[key] == 1 for one, key in zip(outcomes, found, strict=True)]
    if not any(is_new):
        return list(outcomes)
    new = list(compress(outcomes, is_new))
    known = _BY_VENDOR[connection.vendor](connection, table(new, times(connection)))
    return [
        one
        for one, key, may_be_written in zip(outcomes, found, is_new, strict=True)
        if not may_be_written or key in known
    ]


def _insert_into_postgresql(connection: BaseDatabaseWrapper, columns: Sequence[Column]) -> set[Key]:
    """Insert jobs and attempts with one statement. Returns the keys of jobs that exist already.

    Nothing is inserted for these jobs.
    """
    fields = {field.attname: field for field in Job._meta.concrete_fields}
    fields["traceback"] = Attempt._meta.get_field("traceback")
    given, parameters = arrays.rows(connection, fields, dict(zip(COLUMNS, columns, strict=True)))
    quote = connection.ops.quote_name
    jobs, attempts = quote(Job._meta.db_table), quote(Attempt._meta.db_table)
    of_job, key, of_attempt, shared = (
        ", ".join(map(quote, names)) for names in (JOB, COLUMNS[KEY], OF_ATTEMPT.values(), OF_ATTEMPT)
    )
    statement = f"""
        WITH given AS MATERIALIZED ({given}),
        new AS (
            INSERT INTO {jobs} ({of_job}) SELECT {of_job} FROM given
            ON CONFLICT ({key}) DO NOTHING
            RETURNING id, {key}
        ),
        attempts AS (
            INSERT INTO {attempts} (job_id, {of_attempt})
            SELECT id, {shared} FROM given JOIN new USING ({key})
        )
        SELECT {key} FROM given LEFT JOIN new USING ({key}) WHERE id IS NULL"""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return set(cursor.fetchall())


def _insert_into_sqlite(connection: BaseDatabaseWrapper, columns: Sequence[Column]) -> set[Key]:
    """Insert jobs and attempts. Returns the keys of jobs that exist already: nothing is inserted for them."""
    rows = list(zip(*columns, strict=True))
    with transaction.atomic(using=connection.alias):
        if _are_inserted(connection, rows):
            return set()
        transaction.set_rollback(True, using=connection.alias)
    known = _known(row[KEY] for row in rows)
    # The first call of ``_are_inserted`` has locked the database for writing. The lock is held until the end
    # of the transaction, so no other process can insert one of these jobs now.
    _are_inserted(connection, [row for row in rows if row[KEY] not in known])
    return known


def _are_inserted(connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Insert jobs and their attempts. Returns whether all were inserted.

    If a job exists already, no attempt is inserted, and the caller must roll back the inserted jobs.
    """
    if not rows:
        return True
    quote = connection.ops.quote_name
    jobs, attempts = quote(Job._meta.db_table), quote(Attempt._meta.db_table)
    queue, id = map(quote, COLUMNS[KEY])
    columns, places = ", ".join(map(quote, JOB)), ", ".join(["%s"] * len(JOB))
    of_attempt = ", ".join(map(quote, ["job_id", *OF_ATTEMPT.values()]))
    of_job = ", ".join(map(quote, ["id", *OF_ATTEMPT][:-1]))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {jobs} ({columns}) VALUES ({places}) ON CONFLICT ({queue}, {id}) DO NOTHING",
            [row[:-1] for row in rows],
        )
        if cursor.rowcount != len(rows):
            return False
        # No other transaction writes meanwhile, so the new rows are those with the highest numbers.
        cursor.execute(
            f"INSERT INTO {attempts} ({of_attempt}) SELECT {of_job}, '' FROM {jobs} "
            "WHERE id > last_insert_rowid() - %s ORDER BY id",
            [len(rows)],
        )
        cursor.executemany(
            f"UPDATE {attempts} SET {quote('traceback')} = %s "
            f"WHERE job_id = (SELECT id FROM {jobs} WHERE {queue} = %s AND {id} = %s)",
            [(row[-1], *row[KEY]) for row in rows if row[-1]],
        )
    return True


def _known(keys: Iterable[Key]) -> set[Key]:
    """Return the keys in ``keys`` for which the database has a job."""
    by_queue: dict[str, list[str]] = {}
    for queue, id in keys:
        by_queue.setdefault(queue, []).append(id)
    return {
        (queue, id)
        for queue, ids in by_queue.items()
        for start in range(0, len(ids), LOOKED_UP)
        for id in Job.objects.filter(queue=queue, message_id__in=ids[start : start + LOOKED_UP]).values_list(
            "message_id", flat=True
        )
    }


_BY_VENDOR = {"postgresql": _insert_into_postgresql, "sqlite": _insert_into_sqlite}
