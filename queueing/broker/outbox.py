"""The outbox: outcomes that wait in Redis until the recorder has written them to the database."""

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

#: After a recorder has read, other recorders may not read for this long.
RECORDER_LEASE_MS = 10_000
#: The same limit while the outbox has entries that only a newer recorder can parse. The newer recorder must
#: be able to read them soon.
GIVING_WAY_MS = 1_500
#: Limits of ``newest``: the bytes of all entries that it reads, and the bytes of one decompressed entry.
LOOK_BYTES, LOOK_INFLATED_BYTES = 1_000_000, 4_000_000
#: The most outcomes that an unreadable entry can count as lost. One settle has no more outcomes.
MOST_LOST = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the outbox, with a batch of outcomes."""

    key: str
    size_bytes: int
    outcomes: list[Outcome]
    has_tasks: bool = False
    #: The number of outcomes that are lost because the entry cannot be read.
    lost: int = 0


class Batch(list[Entry]):
    """The entries that one call has read.

    ``newer`` is the number of entries that only a newer release can parse. They are not in the list, and stay
    in the outbox. ``last`` is the key of the last entry that was read, or ``""`` if no entry was left.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, newer: int = 0, last: str = "") -> None:
        super().__init__(entries)
        self.newer, self.last = newer, last


@dataclass(frozen=True, slots=True)
class Stats:
    """The size of the outbox, and the number of lost outcomes.

    An outcome is lost if it does not fit into the outbox, or cannot be parsed.
    """

    entries: int
    size_bytes: int
    lost: int
    #: The number of lost outcomes that a person has acknowledged.
    acknowledged: int
    oldest_ms: int

    @property
    def unseen(self) -> int:
        """The number of lost outcomes that are not acknowledged yet."""
        return max(0, self.lost - self.acknowledged)

    @property
    def oldest_seconds(self) -> float:
        return self.oldest_ms / 1000


def stats(session: Session) -> Stats:
    keys = [session.keys.outbox(), session.keys.outbox_stats()]
    return Stats(*map(decode.integer, session.call(Call("outbox_stats", keys))))


def acknowledge(session: Session, lost: int) -> int:
    """Acknowledge lost outcomes, so that warnings no longer count them.

    ``lost`` is the total of lost outcomes that the caller has seen. Outcomes that were lost later are not
    acknowledged. Returns how many outcomes this call has acknowledged for the first time.
    """
    return int(session.call(Call("outbox_acknowledge", [session.keys.outbox_stats()], lost)))


def read(session: Session, recorder: str, *, count: int, after: str = "", identity: str = "") -> Batch | None:
    """Read the first ``count`` entries after the key ``after`` (``""``: from the start of the outbox).

    ``recorder`` is the name of the caller. ``identity`` identifies the database of the caller, or is ``""``
    if the caller records nothing. Returns ``None`` while another recorder is active. Raises ``NotOwner`` if
    the outbox belongs to another database.
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
    keys = [session.keys.outbox(), session.keys.outbox_stats(), session.keys.unrecorded()]
    args = [
        part for entry in entries for part in (entry.key, entry.size_bytes, int(entry.has_tasks), entry.lost)
    ]
    session.call(Call("outbox_drop", keys, *args))


def newest(session: Session, *, count: int) -> list[Outcome]:
    """The outcomes of the newest ``count`` entries, oldest first. The entries stay in the outbox.

    Large and unreadable entries are left out, so that a page of the console loads fast.
    """
    found = session.call(Call("outbox_newest", [session.keys.outbox()], count, LOOK_BYTES))
    entries: list[list[Outcome]] = []
    for _, fields in found:
        with suppress(decode.Unreadable):
            entries.append(unpack(fields, max_bytes=LOOK_INFLATED_BYTES))
    return [outcome for outcomes in reversed(entries) for outcome in outcomes]


def read_entry(key: bytes, fields: list[bytes]) -> Entry:
    """Parse one entry of the outbox from a script's reply.

    The result has no outcomes if the entry is unreadable, or if only a newer release can parse it.
    """
    declared = dict(zip(fields[::2], fields[1::2], strict=False))
    # A declared size above the real one would free too much room in the outbox.
    size_bytes = min(decode.integer(declared.get(b"bytes", b"")), sum(map(len, fields)))
    name, has_tasks = key.decode(), fields[6:7] == [b"tasks"]
    if _format_of(fields) > FORMAT:
        return Entry(name, size_bytes, [], has_tasks)
    try:
        return Entry(name, size_bytes, unpack(fields), has_tasks)
    except decode.Unreadable as error:
        # An unreadable entry must not block the entries behind it.
        lost = max(1, min(decode.integer(declared.get(b"count", b"")), MOST_LOST))
        logger.error("the outbox entry %s cannot be read and is passed over: %s", name, error)
        return Entry(name, size_bytes, [], has_tasks, lost)


def _format_of(fields: list[bytes]) -> int:
    return decode.integer(fields[-1], 1) if fields[-2:-1] == [b"format"] and len(fields[-1]) < 4 else 1
