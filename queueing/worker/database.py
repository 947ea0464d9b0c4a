"""What a job leaves of its database connections for the next one."""

from django.db import connections


def leave_database() -> None:
    """Let no transaction or broken connection of this job meet the next one."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            # It would refuse every later job, closed or not; the next one gets a new one.
            connection.close()
            del connections[connection.alias]
        else:
            connection.close_if_unusable_or_obsolete()
