"""The outbox: outcomes that wait in Redis until they are in the database."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from queueing.exceptions import NotOwner

from . import decode
from .outcomes import FORMAT, Outcome, unpack
from .scripts import Call
from .session import Session

logger = logging.getLogger("queueing")

#: How long one recorder keeps the others away without reading again.
RECORDER_LEASE_MS = 10_000
#: The same where entries wait that only a newer recorder can read: it must get its turn soon.
GIVING_WAY_MS = 1_500
#: Bytes of the entries that a look may fetch in all, and to which each of them may inflate.
LOOK_BYTES, LOOK_INFLATED_BYTES = 1_000_000, 4_000_000
#: The most outcomes that an unreadable entry is believed to have: those of one settle.
MOST_LOST = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch of outcomes as it lies in the outbox."""

    key: str
    size_bytes: int
    outcomes: list[Outcome]
    has_tasks: bool = False
    #: How many outcomes are lost with it, because it cannot be read.
    lost: int = 0


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
    """How much waits in the outbox, and how many outcomes are lost: they did not fit or could not be read."""

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


def stats(session: Session) -> Stats:
    """How full the outbox is."""
    keys = [session.keys.outbox(), session.keys.outbox_stats()]
    return Stats(*map(decode.integer, session.call(Call("outbox_stats", keys))))


def acknowledge(session: Session, lost: int) -> int:
    """End the warning about the first ``lost`` outcomes. Returns how many of these were still unseen."""
    return int(session.call(Call("outbox_acknowledge", [session.keys.outbox_stats()], lost)))


def read(session: Session, recorder: str, *, count: int, after: str = "", identity: str = "") -> Batch | None:
    """The oldest ``count`` entries behind ``after``; ``None`` while another recorder is at work.

    Raises ``NotOwner`` where the outbox belongs to another database than the one with this identity.
    """
    keys = [session.keys.outbox(), session.keys.recorder(), session.keys.owner()]
    args = (recorder, RECORDER_LEASE_MS, count, after, GIVING_WAY_MS, identity)
    reply = session.call(Call("outbox_read", keys, *args))
    if reply == b"owned":
        raise NotOwner(session.keys.ns)
    if reply is None:
        return None
    found, newer, last = reply
    return Batch((read_entry(key, fields) for key, fields in found), newer=newer, last=last.decode())


def drop(session: Session, entries: list[Entry]) -> None:
    """Forget entries that are in the database now."""
    keys = [session.keys.outbox(), session.keys.outbox_stats(), session.keys.unrecorded()]
    args = [
        part for entry in entries for part in (entry.key, entry.size_bytes, int(entry.has_tasks), entry.lost)
    ]
    session.call(Call("outbox_drop", keys, *args))


def newest(session: Session, *, count: int) -> list[Outcome]:
    """The outcomes of the newest ``count`` entries, newest last, without taking them.

    Entries that are large, or cannot be read, are left out: a page must not wait for them.
    """
    found = session.call(Call("outbox_newest", [session.keys.outbox()], count, LOOK_BYTES))
    entries: list[list[Outcome]] = []
    for _, fields in found:
        with suppress(decode.Unreadable):
            entries.append(unpack(fields, max_bytes=LOOK_INFLATED_BYTES))
    return [outcome for outcomes in reversed(entries) for outcome in outcomes]


def read_entry(key: bytes, fields: list[bytes]) -> Entry:
    """An entry of the stream as a script replies it."""
    declared = dict(zip(fields[::2], fields[1::2], strict=False))
    # An entry that declares more than it has must not make room in the outbox.
    size_bytes = min(decode.integer(declared.get(b"bytes", b"")), sum(map(len, fields)))
    name, has_tasks = key.decode(), fields[6:7] == [b"tasks"]
    if _format_of(fields) > FORMAT:
        return Entry(name, size_bytes, [], has_tasks)
    try:
        return Entry(name, size_bytes, unpack(fields), has_tasks)
    except decode.Unreadable as error:
        # One that cannot be read must not block those behind it.
        lost = max(1, min(decode.integer(declared.get(b"count", b"")), MOST_LOST))
        logger.error("the outbox entry %s cannot be read and is passed over: %s", name, error)
        return Entry(name, size_bytes, [], has_tasks, lost)


def _format_of(fields: list[bytes]) -> int:
    return decode.integer(fields[-1], 1) if fields[-2:-1] == [b"format"] and len(fields[-1]) < 4 else 1
