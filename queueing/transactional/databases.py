"""The databases in which messages are staged. Models are imported only when a function needs them."""

from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from queueing.conf import get_conf, stages_tasks

from .transactions import has_begun, open_transactions


def relayed() -> tuple[str, ...]:
    """The aliases of the databases from which workers send staged messages. ``()`` if nothing is staged."""
    named = get_conf().RELAY_DATABASES
    return named if named or not stages_tasks() else (_home(),)


def searched() -> tuple[str, ...]:
    """The aliases of the databases that may contain staged messages. The result is never empty, because
    messages may be left in a project that no longer stages any.
    """
    return relayed() or (_home(),)


def lacks_table(alias: str) -> bool:
    """Whether the database ``alias`` has no table for staged messages. ``False`` if it does not answer."""
    from queueing.models import StagedMessage

    with suppress(Error):
        return StagedMessage._meta.db_table not in connections[alias].introspection.table_names()
    return False


def of_this_call() -> str:
    """The alias of the database in which a message is staged now.

    It is the first database of ``relayed`` in which this thread has an open transaction. Without an open
    transaction, it is the first of ``relayed``. Raises ``ImproperlyConfigured`` if the project stages no
    messages, or if it stages none in the databases of the open transactions, those of a ``TestCase`` apart.
    """
    aliases, begun = relayed(), open_transactions()
    if not aliases:
        raise ImproperlyConfigured(
            'A message is staged only in a database that QUEUEING["RELAY_DATABASES"] names, as ["default"].'
        )
    if begun and not set(begun) & set(aliases) and has_begun():
        raise ImproperlyConfigured(
            f"The transaction is in the database {begun[0]}, and no message can be staged there. "
            f'Name {begun[0]} in QUEUEING["RELAY_DATABASES"], and run '
            f'"manage.py migrate queueing --database {begun[0]}".'
        )
    return next((alias for alias in aliases if alias in begun), aliases[0])


def _home() -> str:
    from queueing.models import StagedMessage

    return StagedMessage.objects.db
