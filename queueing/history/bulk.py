"""Inserts and updates many rows without the ORM, whose work on each value would take 80 % of the time.

The caller passes columns by name, and converts columns of times with ``times`` first. All values are stored
unchanged.
"""

from collections.abc import Mapping
from datetime import UTC

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.constants import OnConflict

from queueing.broker.decode import moment
from queueing.models import stored

from . import arrays
from .columns import Column, Times


def times(connection: BaseDatabaseWrapper) -> Times:
    """Return a function that converts a column of times (ms since 1970) to what the database stores."""
    if connection.vendor == "postgresql":
        return arrays.microseconds
    if connection.vendor == "sqlite" and settings.USE_TZ and connection.timezone == UTC:
        # The text that Django makes, in a fraction of the time.
        return lambda column: [(at := moment(ms)) and at.isoformat(" ")[:-6] for ms in column]
    adapt = connection.ops.adapt_datetimefield_value
    return lambda column: [adapt(stored(moment(ms))) for ms in column]


def insert(model: type[Model], columns: Mapping[str, Column]) -> None:
    """Insert rows of a model. A row is left out if a row with the same unique values exists already.

    If the database refuses a row for another reason, an error is raised. The database's own ``INSERT IGNORE``
    would drop such a row silently.
    """
    connection = connections[model._default_manager.db]
    quote, ops = connection.ops.quote_name, connection.ops
    parts = model._meta.total_unique_constraints[0].fields
    unique = [field.attname for field in model._meta.concrete_fields if field.name in parts]
    names, key = ", ".join(map(quote, columns)), ", ".join(map(quote, unique))
    into = f"{quote(model._meta.db_table)} ({names})"
    if connection.vendor == "postgresql":
        verb = f"INSERT INTO {into} SELECT {names} FROM given ON CONFLICT ({key}) DO NOTHING"
        arrays.execute(connection, model, columns, verb)
        return
    # If a row with the same unique values exists, the statement sets these values again. So it changes
    # nothing.
    fields = [field for field in model._meta.concrete_fields if field.attname in columns]
    suffix = ops.on_conflict_suffix_sql(fields, OnConflict.UPDATE, unique, unique)
    places = ", ".join(["%s"] * len(columns))
    sql = f"{ops.insert_statement(on_conflict=OnConflict.UPDATE)} {into} VALUES ({places}) {suffix}"
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(zip(*columns.values(), strict=True)))


def update(model: type[Model], ids: Column, columns: Mapping[str, Column]) -> None:
    """Set ``columns`` of the rows with the primary keys ``ids``. Each column has one value for each row."""
    connection = connections[model._default_manager.db]
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    if connection.vendor == "postgresql":
        changes = ", ".join(f"{quote(name)} = given.{quote(name)}" for name in columns)
        verb = f"UPDATE {table} SET {changes} FROM given WHERE {table}.id = given.id"
        arrays.execute(connection, model, {"id": ids, **columns}, verb)
        return
    changes = ", ".join(f"{quote(name)} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET {changes} WHERE id = %s", list(zip(*columns.values(), ids, strict=True))
        )
