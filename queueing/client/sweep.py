"""The sweeper: deletes what belongs to no message any more, and does what policies say.

It works in bounded steps, and two at the same time do no harm. Workers run it now and then for the queues
they take; ``manage.py queues sweep`` runs it for all.
"""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

from queueing.broker import decode, rsmq_values
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session, checked
from queueing.exceptions import QueueNotFound, SpoiltKey
from queueing.messages import Swept

logger = logging.getLogger("queueing")

#: Entries per step.
STEP = 200
#: The end of the name of a key that is set aside.
ASIDE = ":unreadable"
#: The last part of each key that this package keeps beside a queue.
KINDS_BESIDE = {"ends", "headers", "leases", "metrics", "progress", "waking"}


def sweep(session: Session, qname: str) -> Iterator[Swept]:
    """Sweep one queue, one bounded step at each turn of the iterator; nothing if it is not there."""
    qname = rsmq_values.qname(qname)
    yield Swept(mended=len(mend_keys(session, qname)))
    with suppress(QueueNotFound):
        yield from _sweep_schedule(session, qname)
    for which in ("attributes", "ends", "headers"):
        yield from _sweep_fields(session, qname, which)


def sweep_lost_queues(session: Session) -> int:
    """Delete what is kept beside queues that another program has deleted: how many keys and lanes."""
    deleted = 0
    for name in set(_names_beside(session)):
        keys = session.keys.of_whole_queue(name, session.dead_letter_queue(name))
        deleted += session.call(Call("sweep_lost_queue", keys))
    return deleted


def spoilt_keys(session: Session, qnames: Sequence[str] = ()) -> list[SpoiltKey]:
    """The keys of the namespace, and of these queues, that have another type than they should."""
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
    """Set aside the keys of this package that have another type than they should: old name -> new name.

    Those of the namespace, and those beside this queue. A key ``x`` is kept as ``x:unreadable``.
    """
    keys = session.keys.of_namespace()
    if qname:
        keys += [*session.keys.beside(qname), session.keys.headers(session.dead_letter_queue(qname))]
    mended = _set_aside(session, keys)
    if session.keys.queues() in mended:
        _list_again(session)
    return mended


def mend_queue(session: Session, qname: str) -> dict[str, str]:
    """The same with the keys that RSMQ gave the queue: only a person may decide that.

    After the schedule was lost, each message is due at its place of sending, and one that a worker holds
    within a minute. After the attributes were lost, the queue is gone.
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
    """The names of the queues that have attributes, even if the index lacks them. It takes long."""
    names = {rest.removesuffix(":Q") for rest in session.scan("*:Q")}
    return sorted(name for name in names if name and not name.startswith(":"))


def _set_aside(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Rename the keys that have another type than they should: old name -> new name."""
    # A name that is taken already, because this is not the first time, gets a longer one.
    longer = f"{ASIDE}-{secrets.token_hex(4)}"
    names = [name for key in keys for name in (key, key + ASIDE, key + longer)]
    found = session.call(Call("mend", names, *map(session.keys.type_of, keys)))
    texts = list(map(decode.text, found))
    mended = dict(zip(texts[::2], texts[1::2], strict=True))
    for key, place in mended.items():
        logger.warning("%s was not a %s; it is kept as %s", key, session.keys.type_of(key), place)
    return mended


def _list_again(session: Session) -> None:
    """Put the queues that exist back into the index of all queues."""
    for name in find_queues(session):
        if rsmq_values.QNAME.fullmatch(name):
            session.call(Call("list_again", [session.keys.attributes(name), session.keys.queues()], name))


def _sweep_schedule(session: Session, qname: str) -> Iterator[Swept]:
    passed, looked = 0, STEP
    while looked == STEP:
        call = QueueCall("sweep_schedule", [qname], session.keys.of_lanes, STEP, passed)
        looked, phantoms, expired, buried, mended = checked(session.call(call))
        yield Swept(phantoms, expired, buried, mended=mended)
        passed += looked - phantoms - expired - buried


def _sweep_fields(session: Session, qname: str, which: str) -> Iterator[Swept]:
    cursor, is_over = b"0", False
    while not is_over:
        call = Call("sweep_fields", session.queue_keys(qname), which, cursor, STEP)
        cursor, orphans = session.call(call)
        yield Swept(orphans=orphans)
        is_over = cursor == b"0"


def _names_beside(session: Session) -> Iterator[str]:
    """The queues beside which this package has a key."""
    for rest in session.scan("*:*"):
        name, _, kind = rest.rpartition(":")
        if kind in KINDS_BESIDE and rsmq_values.QNAME.fullmatch(name):
            yield name
