"""Insert the jobs of new messages with their attempts, in one or two statements for all of them.

Most outcomes are the first and only ones of their messages. They need no query of earlier rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from queueing.broker.decode import moment
from queueing.broker.outcomes import Outcome
from queueing.models import Attempt, Job, stored

from .columns import COLUMNS, OF_ATTEMPT, values

#: The values of one outcome in the order of ``COLUMNS``.
Row = tuple[Any, ...]
#: The columns of a job: all but the last one, the traceback, which only the attempt has.
JOB = COLUMNS[:-1]
#: Positions in a row: queue and message id identify a job.
KEY, RC = slice(0, 2), COLUMNS.index("rc")
#: Rows per query of known jobs. SQLite limits the number of variables.
LOOKED_UP = 400


def insert(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Insert a job and an attempt for each outcome whose message has no row yet.

    Returns the outcomes that it leaves out: those of messages with a row or with several outcomes, and all
    of them on a database other than PostgreSQL and SQLite. The caller has begun a transaction. Raises
    ``DatabaseError``.
    """
    connection = connections[Job.objects.db]
    if connection.vendor not in _BY_VENDOR:
        return list(outcomes)
    at, insert_rows = _BY_VENDOR[connection.vendor]
    convert = at(connection)
    rows = [values(outcome, convert) for outcome in outcomes]
    counts = Counter(row[KEY] for row in rows)
    # The row of a later delivery probably exists.
    new = [index for index, row in enumerate(rows) if row[RC] <= 1 and counts[row[KEY]] == 1]
    if not new:
        return list(outcomes)
    known = insert_rows(connection, [rows[index] for index in new])
    written = {index for index in new if rows[index][KEY] not in known}
    return [outcome for index, outcome in enumerate(outcomes) if index not in written]


def _zoned(connection: BaseDatabaseWrapper) -> Callable[[float | None], str | None]:
    """Convert ms to the text of a time with its zone."""

    def at(ms: float | None) -> str | None:
        found = moment(ms)
        return found.isoformat() if found else None

    return at


def _insert_into_postgresql(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> set[Row]:
    """Insert rows with one statement. Returns the keys of the jobs that existed."""
    fields = {field.attname: field for field in Job._meta.concrete_fields}
    fields["traceback"] = Attempt._meta.get_field("traceback")
    constants: dict[str, Any] = {}
    arrays: dict[str, str] = {}
    for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        if name not in COLUMNS[KEY] and len(set(column)) == 1:
            # A value that all rows have is sent once, which is most columns of most batches.
            constants[name] = column[0]
        else:
            arrays[name] = _array(column)
    types = {name: fields[name].db_type(connection) for name in COLUMNS}
    with connection.cursor() as cursor:
        cursor.execute(
            _statement(connection, types, constants, arrays), [*constants.values(), *arrays.values()]
        )
        return set(cursor.fetchall())


def _array(column: Sequence[Any]) -> str:
    """The literal of an array of PostgreSQL."""
    if None in column:
        return "{" + ",".join(["NULL" if value is None else _array([value])[1:-1] for value in column]) + "}"
    if not isinstance(column[0], str):
        return "{" + ",".join(map(repr, column)) + "}"
    # No text has NUL, because the database refuses it.
    texts = "\0".join(column).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{texts}"}}'


def _statement(
    connection: BaseDatabaseWrapper,
    types: Mapping[str, str | None],
    constants: Iterable[str],
    arrays: Iterable[str],
) -> str:
    quote = connection.ops.quote_name
    jobs, attempts = quote(Job._meta.db_table), quote(Attempt._meta.db_table)
    alike = "".join(f"%s::{types[name]} AS {quote(name)}, " for name in constants)
    different = ", ".join(map(quote, arrays))
    places = ", ".join(f"%s::{types[name]}[]" for name in arrays)
    columns, key = ", ".join(map(quote, JOB)), ", ".join(map(quote, COLUMNS[KEY]))
    return f"""
        WITH given AS MATERIALIZED (
            SELECT {alike}{different} FROM unnest({places}) AS given({different})
        ),
        new AS (
            INSERT INTO {jobs} ({columns}) SELECT {columns} FROM given
            ON CONFLICT ({key}) DO NOTHING
            RETURNING id, {key}
        ),
        attempts AS (
            INSERT INTO {attempts} (job_id, {", ".join(map(quote, OF_ATTEMPT.values()))})
            SELECT id, {", ".join(map(quote, OF_ATTEMPT))} FROM given JOIN new USING ({key})
        )
        SELECT {key} FROM given LEFT JOIN new USING ({key}) WHERE id IS NULL"""


def _zoneless(connection: BaseDatabaseWrapper) -> Callable[[float | None], str | None]:
    """Convert ms to the text that Django stores in SQLite."""
    if settings.USE_TZ and connection.timezone == UTC:

        def at(ms: float | None) -> str | None:
            found = moment(ms)
            return found.isoformat(" ")[:-6] if found else None

        return at
    return lambda ms: connection.ops.adapt_datetimefield_value(stored(moment(ms)))


def _insert_into_sqlite(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> set[Row]:
    """Insert rows. Returns the keys of the jobs that existed."""
    with transaction.atomic(using=connection.alias):
        if _are_inserted(connection, rows):
            return set()
        transaction.set_rollback(True, using=connection.alias)
    known = _known(row[KEY] for row in rows)
    # The failed attempt has locked the database for writing, so no other row appears.
    _are_inserted(connection, [row for row in rows if row[KEY] not in known])
    return known


def _are_inserted(connection: BaseDatabaseWrapper, rows: Sequence[Row]) -> bool:
    """Insert jobs and, if none of them existed, their attempts. Returns whether none existed."""
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


def _known(keys: Iterable[Row]) -> set[Row]:
    """Those of the keys whose jobs exist."""
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


_BY_VENDOR = {
    "postgresql": (_zoned, _insert_into_postgresql),
    "sqlite": (_zoneless, _insert_into_sqlite),
}
