"""Figures of staged messages, and functions to send or delete them by hand."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet

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

    Returns the rows with these ``ids`` whose messages were sent. Messages that were staged by the same call
    are sent together, so messages of other rows may be sent, too. If Redis refuses a message again, its row
    stores the new reason. Raises ``QueueUnavailable``, ``QueueFull`` and ``DatabaseError``. After such an
    error, the rows that were not sent are unchanged.
    """
    rows = _with_their_sends(alias, ids)
    sent = _send(client, alias, rows)
    # A send of several messages that was refused has been split: now each message is a separate send.
    single = {row.pk for row in rows if row.pk not in sent and row.size > 1}
    if single:
        again = StagedMessage.objects.using(alias).filter(pk__in=single).order_by("id")
        sent |= _send(client, alias, list(again))
    return [row for row in rows if row.pk in sent and row.pk in ids]


def delete(alias: str, ids: Collection[int]) -> list[StagedMessage]:
    """Delete rows, so that no relay sends their messages. Returns the rows that existed.

    Raises ``DatabaseError``.
    """
    rows = StagedMessage.objects.using(alias)
    with transaction.atomic(using=alias):
        found = list(rows.filter(pk__in=ids).defer("body", "headers").order_by("id"))
        rows.filter(pk__in=[row.pk for row in found]).delete()
        # ``size`` is the number of rows of a send. A relay waits until it has found this many, so the deleted
        # row must be subtracted.
        for row in found:
            if row.size > 1:
                rows.filter(sender=row.sender, number=row.number).update(size=F("size") - 1)
    return found


def _send(client: QueueClient, alias: str, rows: Sequence[StagedMessage]) -> set[int]:
    """Send the messages of ``rows``. Returns the primary keys of the rows whose messages were sent.

    A send is one call of the send script, with one or more messages. ``rows`` must have all rows of a send,
    or none of them.
    """
    sent = sending.send(client, alias, rows, forget=True)
    return {row.pk for row in rows if (row.sender, row.number) in sent}


def _with_their_sends(alias: str, ids: Collection[int]) -> list[StagedMessage]:
    rows = StagedMessage.objects.using(alias)
    found = list(rows.filter(pk__in=ids).order_by("id"))
    sends = {(row.sender, row.number) for row in found if row.size > 1}
    if not sends:
        return found
    # A send must be complete: Redis would take the second part of a split send for a repeat of the first.
    others = rows.filter(
        sender__in={sender for sender, _ in sends}, number__in={number for _, number in sends}
    )
    more = [row for row in others.exclude(pk__in=ids) if (row.sender, row.number) in sends]
    return sorted([*found, *more], key=lambda row: row.pk)
