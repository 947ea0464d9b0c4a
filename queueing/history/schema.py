"""Whether the tables of the history are the ones that this release works with.

Their first migration was edited before it was frozen, and Django applies none again that has its name.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from queueing.models import Attempt, Identity, Job

MODELS = (Job, Attempt, Identity)


def problem(alias: str) -> str:
    """The problem of the tables in this database, in one sentence with the remedy; empty without one.

    Raises ``DatabaseError``.
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
        f"The tables of queueing are not those of its migrations, but older ones ({wrong}): run "
        '"manage.py migrate queueing zero", which deletes the history, and then "manage.py migrate queueing".'
    )


def is_migrated(alias: str) -> bool:
    """Whether all migrations are applied in this database, by Django's own note. Raises ``DatabaseError``."""
    loader = MigrationLoader(connections[alias])
    return all(node in loader.applied_migrations for node in loader.graph.leaf_nodes("queueing"))


def _wrong(
    connection: BaseDatabaseWrapper, cursor: Any, model: type[models.Model], there: set[str]
) -> Iterator[str]:
    """The table or the columns that are missing, and unknown columns that every row would have to fill."""
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
