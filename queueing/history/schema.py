"""Checks that the tables of the history fit this release.

The first migration was edited before the first release. Django does not apply a migration with the same name
again, so a database that was migrated before the edit still has the old tables.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from queueing.models import Attempt, Identity, Job

MODELS = (Job, Attempt, Identity)


def problem(alias: str) -> str:
    """A sentence with what is wrong with the tables in the database ``alias``, and with the remedy.

    Returns ``""`` if the tables are right. Raises ``DatabaseError``.
    """
    connection = connections[alias]
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        wrong = ", ".join(name for model in MODELS for name in _wrong(connection, cursor, model, there))
    if not wrong:
        return ""
    if not is_migrated(alias):
        return f'The database lacks migrations of queueing ({wrong}): run "manage.py migrate".'
    return (
        f"The tables of queueing are older than its migrations ({wrong}): run "
        '"manage.py migrate queueing zero", which deletes the history, and then "manage.py migrate queueing".'
    )


def is_migrated(alias: str) -> bool:
    """Whether Django has recorded all migrations as applied in this database. Raises ``DatabaseError``."""
    loader = MigrationLoader(connections[alias])
    return all(node in loader.applied_migrations for node in loader.graph.leaf_nodes("queueing"))


def _wrong(
    connection: BaseDatabaseWrapper, cursor: Any, model: type[models.Model], there: set[str]
) -> Iterator[str]:
    """Yield a text for each problem of the table of ``model``. ``there`` are the names of all tables.

    The problems are a missing table, a missing column, and an unknown column that requires a value.
    """
    table = model._meta.db_table
    if table not in there:
        yield f"{table} is missing"
        return
    expected = {field.column for field in model._meta.concrete_fields if field.column}
    found = {column.name: column for column in connection.introspection.get_table_description(cursor, table)}
    yield from (f"{table}.{name} is missing" for name in sorted(expected - set(found)))
    for name in sorted(set(found) - expected):
        if not found[name].null_ok and found[name].default is None:
            yield f"{table}.{name} is unknown"
