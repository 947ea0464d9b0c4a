"""The owner of the outbox: the only database to which the outcomes in the outbox are written.

Two projects with the same namespace on one Redis would record each other's outcomes and payloads. So the
project that records first owns the outbox. In the other project, recording raises ``NotOwner``.
"""

import secrets
from contextlib import nullcontext

from django.db import transaction

from queueing.broker import decode
from queueing.broker.scripts import Call
from queueing.client import QueueClient
from queueing.exceptions import NotOwner
from queueing.models import Identity


def identity(client: QueueClient) -> str:
    """The identity of this project's database. It is created if neither the database nor the outbox has one.

    Raises ``NotOwner`` if the outbox has an identity, but the database has none. Then the outbox belongs to
    another project, or a backup of this database is being restored. The backup contains the identity, so a
    new one must not be created. Also raises ``DatabaseError``.
    """
    if known := known_identity():
        return known
    if owner(client):
        raise NotOwner(client.keys.ns)
    return _made_identity()


def known_identity() -> str:
    """The identity of this project's database, ``""`` if it has none yet. Raises ``DatabaseError``."""
    alias = Identity.objects.db
    # In a transaction of the caller, a savepoint lets it continue after an error. Without one, a transaction
    # could make this read wait for the writers of an SQLite database.
    is_in_transaction = transaction.get_connection(alias).in_atomic_block
    with transaction.atomic(using=alias) if is_in_transaction else nullcontext():
        return Identity.objects.values_list("token", flat=True).filter(pk=1).first() or ""


def owner(client: QueueClient) -> str:
    """The identity of the database that owns the outbox, ``""`` if none does."""
    return decode.text(client.session.call(Call("owner", [client.keys.owner()], "")))


def is_mine(client: QueueClient) -> bool:
    """Whether this project's database owns the outbox, or no database owns it yet."""
    owned_by = owner(client)
    return not owned_by or owned_by == known_identity()


def take(client: QueueClient) -> None:
    """Make this project's database the owner of the outbox."""
    client.session.call(Call("owner", [client.keys.owner()], _made_identity()))


def _made_identity() -> str:
    row, _ = Identity.objects.get_or_create(pk=1, defaults={"token": secrets.token_hex(16)})
    return row.token
