"""Finds the open transactions of this thread and of the process. It imports no model."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from queueing.exceptions import EnqueueFailed, QueueError

#: The connections of all threads of this process that have been opened.
_opened: WeakValueDictionary[int, BaseDatabaseWrapper] = WeakValueDictionary()


def _note_opened(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    _opened[id(connection)] = connection


connection_created.connect(_note_opened)


def has_open_transaction() -> bool:
    """Whether any thread of this process has an open transaction on any database."""
    # ``valuerefs`` makes a list in one step, so that no thread changes the dictionary meanwhile.
    opened = (reference() for reference in _opened.valuerefs())
    return any(connection is not None and connection.in_atomic_block for connection in opened)


def open_transactions() -> list[str]:
    """The aliases of the databases in which this thread has an open transaction."""
    if not has_open_transaction():  # takes a fifth of the time
        return []
    begun = [one for one in connections.all(initialized_only=True) if one.in_atomic_block]
    # A ``TestCase`` opens a transaction on each of its databases. But tests usually run the commit callbacks
    # of the default database only (``captureOnCommitCallbacks``), so messages that wait for another one would
    # never be sent.
    return [one.alias for one in begun if one.alias == DEFAULT_DB_ALIAS or not _is_of_testcase(one)]


def has_begun() -> bool:
    """Whether this thread has an open transaction, except for the transaction of a ``TestCase``."""
    return any(not _is_of_testcase(connections[alias]) for alias in open_transactions())


def _is_of_testcase(connection: BaseDatabaseWrapper) -> bool:
    return all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def at_commit(aliases: Sequence[str], send: Callable[[], object], id: str, title: str) -> None:
    """Call ``send`` after the transactions of all ``aliases`` are committed, but not if one is rolled back.

    If ``send`` raises a ``QueueError``, ``EnqueueFailed`` is raised instead, with ``id`` and ``title``, which
    describe what was to be sent.
    """
    waited_for = set(aliases)

    def committed(alias: str) -> None:
        waited_for.discard(alias)
        if waited_for:
            return
        try:
            send()
        except QueueError as error:
            raise EnqueueFailed(id, title, error) from error

    for alias in aliases:
        transaction.on_commit(partial(committed, alias), using=alias)
