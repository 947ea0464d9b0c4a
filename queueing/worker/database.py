"""Cleans up database connections between the runs of messages, as Django does between requests."""

import logging
import threading

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

logger = logging.getLogger("queueing.worker")


class _Thread(threading.local):
    """Flags of one thread.

    If ``may_be_connected`` is false, the thread has no database connection. ``tend_connections`` then does
    not check Django's connections, because the check takes longer than a tiny job.
    """

    may_be_connected = False
    #: Whether messages run in this thread. Another thread that connects may be the one that Django uses for
    #: the database calls of async functions.
    runs_messages = False


_thread = _Thread()
_elsewhere_connected = threading.Event()


def _connected(**_: object) -> None:
    _thread.may_be_connected = True
    if not _thread.runs_messages:
        _elsewhere_connected.set()


connection_created.connect(_connected, dispatch_uid=__name__)


def close_database() -> None:
    """Close this thread's database connections and this process's connection pools. Called before a fork."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        # A backend that is asked for its pool creates one. So only backends with a pool are asked.
        for alias, pool in list(getattr(connection, "_connection_pools", {}).items()):
            if pool:
                connections[alias].close_pool()  # type: ignore[attr-defined]


def tend_connections(*, is_shared: bool = False) -> None:
    """Clean up this thread's connections after a run: open transactions, query logs, broken or old
    connections.

    With ``is_shared``, other runs may use the same connections at this moment, so no connection is closed
    because of its age.
    """
    if not _thread.may_be_connected:
        return
    _thread.may_be_connected = False
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()  # With DEBUG each query is kept.
        if connection.in_atomic_block:
            if all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
                _thread.may_be_connected = True
                continue  # A test runs messages in its own thread.
            # The connection would refuse every later job, even if it is closed. The next job gets a new one.
            connection.close()
            del connections[connection.alias]
            continue
        if not is_shared:
            connection.close_if_unusable_or_obsolete()
        elif connection.connection is not None:
            _tend_shared(connection)
        _thread.may_be_connected |= connection.connection is not None


def _tend_shared(connection: BaseDatabaseWrapper) -> None:
    connection.health_check_done = False  # type: ignore[attr-defined]
    has_begun = connection.get_autocommit() != connection.settings_dict["AUTOCOMMIT"]
    if has_begun or (connection.errors_occurred and not connection.is_usable()):
        connection.close()


def tend_after_receivers() -> None:
    """Call ``tend_connections`` after signal receivers have run in this thread. Errors are only logged."""
    try:
        tend_connections()
    except Exception:
        logger.exception("the database connections of a receiver could not be left in order")


def tend_connections_of_run() -> None:
    """Call ``tend_connections`` in a thread that runs messages, before or after a run."""
    _thread.runs_messages = True
    tend_connections()


async def tend_connections_of_loop(*, is_shared: bool) -> None:
    """Call ``tend_connections`` in the thread in which Django runs the database calls of async functions.

    Does nothing if no connection can be open in that thread.
    """
    if _elsewhere_connected.is_set():
        _elsewhere_connected.clear()
        await sync_to_async(_tend_elsewhere)(is_shared)


def _tend_elsewhere(is_shared: bool) -> None:
    tend_connections(is_shared=is_shared)
    if _thread.may_be_connected:
        _elsewhere_connected.set()
