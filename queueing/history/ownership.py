"""The owner of the outbox: the one database into which its outcomes are recorded.

Two projects on one Redis with the same namespace would record each other's outcomes, payloads included. The
first one that records owns the outbox; the other one is refused.
"""

import secrets

from django.db import transaction

from queueing.broker import decode
from queueing.broker.scripts import Call
from queueing.client import QueueClient
from queueing.exceptions import NotOwner
from queueing.models import Identity


def identity(client: QueueClient) -> str:
    """The identity of this project's database, made if neither it nor the outbox has one.

    An outbox that has an owner already belongs to another project, or the backup of the database is being
    restored: a row made now would refuse the one of the backup. Raises ``NotOwner`` and ``DatabaseError``.
    """
    if known := known_identity():
        return known
    if owner(client):
        raise NotOwner(client.keys.ns)
    return _made_identity()


def known_identity() -> str:
    """The identity of this project's database, empty before it has one. Raises ``DatabaseError``."""
    with transaction.atomic(using=Identity.objects.db):
        return Identity.objects.values_list("token", flat=True).filter(pk=1).first() or ""


def owner(client: QueueClient) -> str:
    """The identity of the database that owns the outbox, empty where none does."""
    return decode.text(client.session.call(Call("owner", [client.keys.owner()], "")))


def is_mine(client: QueueClient) -> bool:
    """Whether this project's database owns the outbox, or nobody does."""
    owned_by = owner(client)
    return not owned_by or owned_by == known_identity()


def take(client: QueueClient) -> None:
    """Make this project's database the owner of the outbox."""
    client.session.call(Call("owner", [client.keys.owner()], _made_identity()))


def _made_identity() -> str:
    row, _ = Identity.objects.get_or_create(pk=1, defaults={"token": secrets.token_hex(16)})
    return row.token
