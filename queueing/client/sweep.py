"""The sweeper: deletes data that belongs to no message, and applies the policies of queues.

A sweep works in steps of limited size, and several may run at the same time. Workers sweep their queues
regularly; ``manage.py queues sweep`` sweeps all queues.
"""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

from queueing.broker import decode, rsmq_values
from queueing.broker.scripts import Call, room_call
from queueing.broker.session import Session, checked
from queueing.exceptions import QueueNotFound, SpoiltKey
from queueing.messages import Swept

logger = logging.getLogger("queueing")

#: Entries per step.
STEP = 200
#: The suffix that is added to the name of a key with a wrong type.
ASIDE = ":unreadable"
#: The last parts of the keys that this package adds to RSMQ's keys of a queue.
KINDS_BESIDE = {"ends", "headers", "leases", "line", "metrics", "progress", "unique", "waking"}


def sweep(session: Session, qname: str) -> Iterator[Swept]:
    """Sweep one queue, if it exists. Yields the numbers of changes that each step has made."""
    qname = rsmq_values.qname(qname)
    yield Swept(mended=len(mend_keys(session, qname)))
    with suppress(QueueNotFound):
        yield from _sweep_schedule(session, qname)
    for which in ("attributes", "ends", "headers", "unique", "line", "waking", "waits"):
        yield from _sweep_fields(session, qname, which)


def sweep_lost_queues(session: Session) -> int:
    """Delete the rest of queues that another program has deleted, and slots that no worker holds.

    A slot is the place of a running message under a concurrency limit. Returns the number of deleted keys,
    leases and slots.
    """
    keys = session.keys
    deleted: int = session.call(Call("sweep_slots", keys.of_slots()))[0]
    for name in set(_names_beside(session)):
        # The scripts of a sweep record no outcomes, so they need no limit of the outbox.
        deleted += session.call(room_call(keys, 0, "sweep_lost_queue", name))
    return deleted


def spoilt_keys(session: Session, qnames: Sequence[str] = ()) -> list[SpoiltKey]:
    """Check the keys of the namespace and of the queues ``qnames``. Returns those that have a wrong type."""
    keys = session.keys.of_namespace()
    for qname in qnames:
        keys += session.keys.all_of_queue(qname)
    found: list[SpoiltKey] = []
    for start in range(0, len(keys), STEP):
        step = keys[start : start + STEP]
        types = session.call(Call("types", step))
        for key, type in zip(step, map(decode.text, types), strict=True):
            wanted = session.keys.type_of(key)
            if type not in (wanted, "none"):
                found.append(SpoiltKey(key, type, wanted))
    return found


def mend_keys(session: Session, qname: str = "") -> dict[str, str]:
    """Rename keys with a wrong type: ``x`` becomes ``x:unreadable``. Returns a dict from old to new name.

    Checks the keys of the namespace and, with ``qname``, the keys of this queue. The two keys of a queue that
    RSMQ defines are left to ``mend_queue``.
    """
    keys = session.keys.of_namespace()
    if qname:
        keys += [*session.keys.beside(qname), session.keys.headers(session.dead_letter_queue(qname))]
    mended = _set_aside(session, keys)
    if session.keys.queues() in mended:
        _list_again(session)
    return mended


def mend_queue(session: Session, qname: str) -> dict[str, str]:
    """Rename the two keys of a queue that RSMQ defines, each only if it has a wrong type.

    Returns a dict from old to new name. Only ``manage.py queues sweep`` calls this function.

    If the sorted set of due times is renamed, it is built again: all messages are due now, in the order of
    their sends, except that a message held by a worker is due after a minute. If the hash of attributes is
    renamed, the queue no longer exists.
    """
    schedule = session.keys.schedule(qname)
    mended = _set_aside(session, [schedule, session.keys.attributes(qname)])
    keys = session.keys.of_lanes(qname, session.dead_letter_queue(qname))
    cursor = b"0" if schedule in mended else b""
    while cursor:
        cursor, _ = session.call(Call("reschedule", keys, cursor, STEP))
        cursor = b"" if cursor == b"0" else cursor
    return mended


def find_queues(session: Session) -> list[str]:
    """The names of all queues that have attributes, even if the index of queues lacks them.

    The search scans all keys, which is slow.
    """
    names = {rest.removesuffix(":Q") for rest in session.scan("*:Q")}
    return sorted(name for name in names if name and not name.startswith(":"))


def _set_aside(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Rename those of ``keys`` that have a wrong type. Returns a dict from old to new name."""
    # The longer name is used if the shorter one is taken, because the key was renamed before.
    longer = f"{ASIDE}-{secrets.token_hex(4)}"
    names = [name for key in keys for name in (key, key + ASIDE, key + longer)]
    found = session.call(Call("mend", names, *map(session.keys.type_of, keys)))
    texts = list(map(decode.text, found))
    mended = dict(zip(texts[::2], texts[1::2], strict=True))
    for key, place in mended.items():
        logger.warning("%s was not a %s; it is kept as %s", key, session.keys.type_of(key), place)
    return mended


def _list_again(session: Session) -> None:
    """Add to the index of queues all existing queues that it lacks."""
    for name in find_queues(session):
        if rsmq_values.QNAME.fullmatch(name):
            session.call(Call("list_again", [session.keys.attributes(name), session.keys.queues()], name))


def _sweep_schedule(session: Session, qname: str) -> Iterator[Swept]:
    passed, looked = 0, STEP
    while looked == STEP:
        call = room_call(session.keys, 0, "sweep_schedule", qname, STEP, passed)
        looked, phantoms, expired, buried, mended = checked(session.call(call))
        yield Swept(phantoms, expired, buried, mended=mended)
        passed += looked - phantoms - expired - buried


def _sweep_fields(session: Session, qname: str, which: str) -> Iterator[Swept]:
    script = "sweep_waits" if which == "waits" else "sweep_fields"
    cursor, is_over = b"0", False
    while not is_over:
        cursor, orphans = session.call(room_call(session.keys, 0, script, qname, which, cursor, STEP))
        yield Swept(orphans=orphans)
        is_over = cursor == b"0"


def _names_beside(session: Session) -> Iterator[str]:
    """Yield the names of queues that have keys of this package, even if RSMQ's keys of the queue are gone.

    A name may be yielded several times.
    """
    for rest in session.scan("*:*"):
        name, _, kind = rest.rpartition(":")
        if kind in KINDS_BESIDE and rsmq_values.QNAME.fullmatch(name):
            yield name
