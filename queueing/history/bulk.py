"""Insert and update many rows with one call. The ORM's work per value takes four fifths of such an insert.

Columns are given by name, and times in the form that ``times`` makes. Other values are stored unchanged.
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
    """A function that converts a column of ms to the form of times in the database."""
    if connection.vendor == "postgresql":
        return arrays.microseconds
    if connection.vendor == "sqlite" and settings.USE_TZ and connection.timezone == UTC:
        # The text that Django makes, in a fraction of the time.
        return lambda column: [(at := moment(ms)) and at.isoformat(" ")[:-6] for ms in column]
    adapt = connection.ops.adapt_datetimefield_value
    return lambda column: [adapt(stored(moment(ms))) for ms in column]


def insert(model: type[Model], columns: Mapping[str, Column]) -> None:
    """Insert rows of a model. A row whose unique values exist already is left out.

    Every other refusal of the database is an error, unlike with its own "ignore", which drops such rows
    silently.
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
    # The update of an existing row sets its unique values, so it changes nothing.
    fields = [field for field in model._meta.concrete_fields if field.attname in columns]
    suffix = ops.on_conflict_suffix_sql(fields, OnConflict.UPDATE, unique, unique)
    places = ", ".join(["%s"] * len(columns))
    sql = f"{ops.insert_statement(on_conflict=OnConflict.UPDATE)} {into} VALUES ({places}) {suffix}"
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(zip(*columns.values(), strict=True)))


def update(model: type[Model], ids: Column, columns: Mapping[str, Column]) -> None:
    """Set columns of the rows with these primary keys."""
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
