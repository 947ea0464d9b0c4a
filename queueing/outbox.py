"""The outbox: outcomes that wait in Redis until they are in the database."""

import logging
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from . import decode
from .client import QueueClient
from .exceptions import NotOwner
from .outcomes import FORMAT, Outcome, unpack

logger = logging.getLogger("queueing")

#: How long one recorder keeps the others away without reading again.
RECORDER_LEASE_MS = 10_000
#: The same where entries wait that only a newer recorder can read: it must get its turn soon.
GIVING_WAY_MS = 1_500


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch of outcomes as it lies in the outbox."""

    key: str
    size_bytes: int
    outcomes: list[Outcome]
    has_tasks: bool = False


class Batch(list[Entry]):
    """Entries that were read in one go.

    ``newer`` counts the entries among them that wait for a recorder of a newer release, and are left out.
    ``last`` is the key of the last entry that was looked at, empty at the end of the outbox.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, newer: int = 0, last: str = "") -> None:
        super().__init__(entries)
        self.newer, self.last = newer, last


@dataclass(frozen=True, slots=True)
class Stats:
    """What waits in the outbox, and how many outcomes did not fit into it since it was made."""

    entries: int
    size_bytes: int
    lost: int
    #: Of the lost, those that somebody has taken note of.
    acknowledged: int
    oldest_ms: int

    @property
    def unseen(self) -> int:
        """The lost that are still to be warned of."""
        return max(0, self.lost - self.acknowledged)

    @property
    def oldest_seconds(self) -> float:
        return self.oldest_ms / 1000


def stats(client: QueueClient) -> Stats:
    """How full the outbox is."""
    keys = [client.keys.outbox(), client.keys.outbox_stats()]
    return Stats(*map(decode.integer, client.scripts.run("outbox_stats", keys)))


def acknowledge(client: QueueClient, lost: int) -> int:
    """Warn no more of the first ``lost`` outcomes that did not fit; how many of these were still unseen."""
    return client.scripts.run("outbox_acknowledge", [client.keys.outbox_stats()], lost)


def read(
    client: QueueClient, recorder: str, *, count: int, after: str = "", identity: str = ""
) -> Batch | None:
    """The oldest ``count`` entries behind ``after``; ``None`` while another recorder is at work.

    Raises ``NotOwner`` where the outbox belongs to another database than the one with this identity.
    """
    keys = [client.keys.outbox(), client.keys.recorder(), client.keys.owner()]
    args = (recorder, RECORDER_LEASE_MS, count, after, GIVING_WAY_MS, identity)
    reply = client.scripts.run("outbox_read", keys, *args)
    if reply == b"owned":
        raise NotOwner(client.keys.ns)
    if reply is None:
        return None
    found, newer, last = reply
    return Batch((read_entry(key, fields) for key, fields in found), newer=newer, last=last.decode())


def drop(client: QueueClient, entries: list[Entry]) -> None:
    """Forget entries that are in the database now."""
    keys = [client.keys.outbox(), client.keys.outbox_stats(), client.keys.unrecorded()]
    args = [part for entry in entries for part in (entry.key, entry.size_bytes, int(entry.has_tasks))]
    client.scripts.run("outbox_drop", keys, *args)


def newest(client: QueueClient, *, count: int) -> list[Outcome]:
    """The outcomes of the newest ``count`` entries, newest last, without taking them."""
    found = client.scripts.run("outbox_newest", [client.keys.outbox()], count)
    return [outcome for key, fields in reversed(found) for outcome in read_entry(key, fields).outcomes]


def read_entry(key: bytes, fields: list[bytes]) -> Entry:
    """An entry of the stream as a script replies it."""
    size_bytes, has_tasks = 0, fields[6:7] == [b"tasks"]
    if _format_of(fields) > FORMAT:
        return Entry(key.decode(), size_bytes, [], has_tasks)
    try:
        size_bytes = int(fields[3])
        return Entry(key.decode(), size_bytes, unpack(fields), has_tasks)
    except (ValueError, KeyError, IndexError, TypeError, zlib.error):
        # Written by a program that is not ours. One that cannot be read must not block those behind it.
        logger.exception("the outbox entry %s cannot be read and is passed over", key.decode())
        return Entry(key.decode(), size_bytes, [], has_tasks)


def _format_of(fields: list[bytes]) -> int:
    is_told = fields[-2:-1] == [b"format"] and fields[-1].isdigit()
    return int(fields[-1]) if is_told else 1
