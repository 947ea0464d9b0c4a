"""Sends many rows in one statement of PostgreSQL, with one array for each column."""

from collections.abc import Mapping, Sequence
from math import modf
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Model

from .columns import Column


def microseconds(column: Column) -> Column:
    """Convert ms since 1970 to µs since 1970, rounded as by ``datetime.fromtimestamp``.

    ``None`` stays ``None``.
    """
    if None in column:
        return [None if ms is None else microseconds([ms])[0] for ms in column]
    seconds = map(modf, [ms / 1000 for ms in column])
    return [int(whole) * 1_000_000 + round(fraction * 1e6) for fraction, whole in seconds]


def execute(
    connection: BaseDatabaseWrapper, model: type[Model], columns: Mapping[str, Column], verb: str
) -> None:
    """Execute ``verb``, an ``INSERT`` or ``UPDATE`` statement that reads rows from a table named ``given``.

    ``given`` has the values of ``columns``, which are columns of ``model``.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    given, parameters = rows(connection, fields, columns)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH given AS MATERIALIZED ({given}) {verb}", parameters)


def rows(
    connection: BaseDatabaseWrapper, fields: Mapping[str, Any], columns: Mapping[str, Column]
) -> tuple[str, list[Any]]:
    """The SQL of a query that yields ``columns`` as rows, and the parameters of the query.

    If all values of a column are equal, which is common, only one value is sent. The first column is always
    sent as an array. ``fields`` has the field of the model for each column.
    """
    quote = connection.ops.quote_name
    shown, names, places = list[str](), list[str](), list[str]()
    constants, literals = list[Any](), list[str]()
    for name, column in columns.items():
        is_time = isinstance(fields[name], DateTimeField)
        kind, value = "bigint" if is_time else fields[name].db_type(connection), quote(name)
        if names and len(set(column)) == 1:
            constants.append(column[0])
            value = f"%s::{kind}"
        else:
            names.append(value)
            places.append(f"%s::{kind}[]")
            literals.append(_array(column))
        if is_time:
            value = f"'epoch'::timestamptz + {value} * interval '1 microsecond'"
        shown.append(f"{value} AS {quote(name)}")
    sql = f"SELECT {', '.join(shown)} FROM unnest({', '.join(places)}) AS given({', '.join(names)})"
    return sql, [*constants, *literals]


def _array(column: Sequence[Any]) -> str:
    """The values as an array literal of PostgreSQL."""
    if None in column:
        return "{" + ",".join(["NULL" if value is None else _array([value])[1:-1] for value in column]) + "}"
    if not isinstance(column[0], str):
        return "{" + ",".join(map(repr, column)) + "}"
    # No text has NUL, because the database refuses it.
    texts = "\0".join(column).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{texts}"}}'
