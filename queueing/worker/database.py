"""What a job leaves of its database connections for the next one."""

import threading

from django.db import connections
from django.db.backends.signals import connection_created


class _Thread(threading.local):
    """Of each thread: whether it may have a connection. To ask Django costs more than a tiny job does."""

    may_be_connected = False


_thread = _Thread()


def _connected(**_: object) -> None:
    _thread.may_be_connected = True


connection_created.connect(_connected, dispatch_uid=__name__)


def leave_database() -> None:
    """Let no transaction or broken connection of this job meet the next one."""
    if not _thread.may_be_connected:
        return
    _thread.may_be_connected = False
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # It would refuse every later job, closed or not; the next one gets a new one.
            connection.close()
            del connections[connection.alias]
        else:
            connection.close_if_unusable_or_obsolete()
            _thread.may_be_connected |= connection.connection is not None
