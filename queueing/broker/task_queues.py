"""The queues of tasks, and where the message of one task is.

A message goes from the queue to the outbox in one step, and leaves the outbox only once it is in the
database. ``find`` looks at queues and outbox in one moment: asked before the database, it misses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from . import decode
from .keys import low_priority_queue
from .outbox import read_entry
from .outcomes import Outcome
from .scripts import Call
from .session import Session

#: Of each session, the queues for which it is stored that tasks are sent to them or to their siblings.
_noted: WeakKeyDictionary[Session, set[str]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the message of a task is, and its outcomes that are not in the database yet, oldest first.

    ``queue`` is empty where it is in none. ``worker`` is the child that holds it; ``first_ms`` and
    ``claimed_ms`` are when its first and its newest delivery began (ms epoch, 0: never delivered).
    """

    queue: str
    outcomes: list[Outcome]
    body: str = ""
    rc: int = 0
    first_ms: int = 0
    claimed_ms: int = 0
    worker: str = ""


def place(queue: str, priority: int) -> tuple[str, int]:
    """The queue in which a task of that priority (-100 to 100) lies, and its priority there (0 to 100)."""
    return (queue, priority) if priority >= 0 else (low_priority_queue(queue), 100 + priority)


def note(session: Session, queue: str, target: str) -> None:
    """Store that tasks are sent to ``queue``, and remember that it is stored for ``target``."""
    session.call(Call("note_task_queue", [session.keys.task_queues()], queue))
    _noted.setdefault(session, set()).add(target)


def is_noted(session: Session, target: str) -> bool:
    """Whether this process has stored that tasks are sent to the queue of ``target``."""
    return target in _noted.get(session, ())


def known(session: Session) -> list[str]:
    """The queues to which tasks were sent and that are still there, by name."""
    names = session.call(Call("task_queues", [session.keys.task_queues(), session.keys.queues()]))
    return sorted(decode.text(name) for name in names)


def with_siblings(queues: Sequence[str]) -> list[str]:
    """These queues, and behind them all their siblings for priorities below 0."""
    return list(dict.fromkeys([*queues, *map(low_priority_queue, queues)]))


def find(session: Session, id: str, queues: Sequence[str]) -> Whereabouts:
    """Where the message ``id`` is, of these queues, and what became of it. One round trip."""
    keys = session.keys
    names = [keys.unrecorded(), keys.outbox(), keys.held()]
    for queue in queues:
        names += [keys.attributes(queue), keys.schedule(queue), keys.ends(queue), keys.leases(queue)]
    number, entries, body, rc, fr, ends, lane = session.call(Call("task_of", names, id))
    outcomes = [
        outcome
        for key, fields in entries
        for outcome in read_entry(key, fields).outcomes
        if outcome.id == id and outcome.queue in queues
    ]
    if not number:
        return Whereabouts("", outcomes)
    return Whereabouts(
        queues[number - 1],
        outcomes,
        decode.text(body),
        decode.integer(rc),
        decode.integer(fr or b"0"),
        _claimed_ms(fr, ends),
        decode.text(lane).partition(" ")[0],
    )


def _claimed_ms(fr: bytes, ends: bytes) -> int:
    """When the newest delivery began: the first one where there was no other that we know of."""
    counts = ends.split()
    return decode.integer(counts[3] if len(counts) > 3 else fr or b"0")
