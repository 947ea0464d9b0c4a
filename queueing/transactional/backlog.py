"""Figures of staged messages, and functions to send or delete them by hand."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from queueing.client import QueueClient
from queueing.models import StagedMessage

from . import sending

#: The most rows in one step of ``in_steps``.
CHUNK = 100


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of staged messages in one database: waiting messages, and messages that Redis has refused.

    ``oldest_seconds`` is the age of the oldest waiting message, 0 if no message waits.
    """

    waiting: int
    refused: int
    oldest_seconds: float


def figures(alias: str) -> Figures:
    """The present figures of the database ``alias``. Raises ``DatabaseError``."""
    rows = StagedMessage.objects.using(alias)
    waiting = rows.filter(is_refused=False)
    oldest = waiting.order_by("id").values_list("staged_at", flat=True).first()
    return Figures(
        waiting=waiting.count(),
        refused=rows.filter(is_refused=True).count(),
        oldest_seconds=max(0.0, time.time() - oldest.timestamp()) if oldest else 0.0,
    )


def newest(rows: "QuerySet[StagedMessage]") -> int:
    """The primary key of the newest row, 0 if there are no rows. Raises ``DatabaseError``."""
    return rows.order_by("-id").values_list("id", flat=True).first() or 0


def in_steps(rows: "QuerySet[StagedMessage]", *, after: int = 0, until: int) -> Iterator[list[int]]:
    """Yield lists of the primary keys greater than ``after`` and at most ``until``, in ascending order.

    Each list has at most ``CHUNK`` keys. Raises ``DatabaseError``.
    """
    keys = rows.order_by("id").filter(id__lte=until).values_list("id", flat=True)
    while ids := list(keys.filter(id__gt=after)[:CHUNK]):
        yield ids
        after = ids[-1]


def retry(client: QueueClient, alias: str, ids: Collection[int]) -> list[StagedMessage]:
    """Send staged messages now, also those that Redis has refused.

    Returns the rows with these ``ids`` whose messages were sent. If Redis refuses a message again, its row
    stores the new reason. Raises ``QueueUnavailable``, ``QueueFull`` and ``DatabaseError``. After such an
    error, the rows that were not sent are unchanged.
    """
    rows = StagedMessage.objects.using(alias).filter(pk__in=ids).order_by("id")
    return sending.send(client, alias, list(rows), forget=True)


def delete(alias: str, ids: Collection[int]) -> list[StagedMessage]:
    """Delete rows, so that no relay sends their messages. Returns the rows that existed.

    Raises ``DatabaseError``.
    """
    rows = StagedMessage.objects.using(alias).filter(pk__in=ids)
    with transaction.atomic(using=alias):
        found = list(rows.defer("body", "headers").order_by("id"))
        rows.delete()
    return found
