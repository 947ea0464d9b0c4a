"""The queues of tasks, and the search for the message of one task.

``find`` reads the queues and the outbox in one step. A caller that then reads the database misses nothing:
the script that removes a message from its queue writes its outcome to the outbox, and the outcome stays in
the outbox until it is in the database.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from . import decode
from .batches import read_follow_up
from .keys import Keys, low_priority_queue
from .outbox import read_entry
from .outcomes import Outcome
from .scripts import Call
from .session import Session
from .session_base import SessionBase


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The message of a task, and its outcomes that are not in the database yet, oldest first.

    ``queue`` is ``""`` if the message is not in a queue. ``worker`` is the name of the child process that
    holds the message, or ``""``. ``claimed_ms`` is the start of the newest delivery (ms since 1970), or 0 if
    the message was never delivered.
    """

    queue: str
    outcomes: list[Outcome]
    body: str = ""
    rc: int = 0
    claimed_ms: int = 0
    worker: str = ""


def place(queue: str, priority: int) -> tuple[str, int]:
    """Return the queue to which a task is sent, and the priority of its message (0 to 100).

    ``priority`` is that of the task (-100 to 100). If it is below 0, the task is sent to the low-priority
    queue of ``queue``, and 100 is added to the priority.
    """
    return (queue, priority) if priority >= 0 else (low_priority_queue(queue), 100 + priority)


def note(keys: Keys, queue: str) -> Call:
    """Make the call that stores in Redis that ``queue`` receives tasks."""
    return Call("note_task_queue", [keys.task_queues()], queue)


def remember_noted(session: SessionBase, target: str) -> None:
    """Remember in this process that Redis has stored ``target`` as a queue of tasks."""
    session.task_queues.add(target)


def is_noted(session: SessionBase, target: str) -> bool:
    """Whether this process knows that Redis has stored ``target`` as a queue of tasks."""
    return target in session.task_queues


def known(session: Session) -> list[str]:
    """The names of the existing queues to which tasks were sent, sorted."""
    names = session.call(Call("task_queues", [session.keys.task_queues(), session.keys.queues()]))
    return sorted(decode.text(name) for name in names)


def with_siblings(queues: Sequence[str]) -> list[str]:
    """Return the queues, followed by their low-priority queues, without duplicates."""
    return list(dict.fromkeys([*queues, *map(low_priority_queue, queues)]))


def find(session: Session, id: str, queues: Sequence[str]) -> Whereabouts:
    """Find the message ``id`` in these queues, in the follow-ups and in the outbox, in one round trip."""
    keys = session.keys
    names = [keys.unrecorded(), keys.outbox(), keys.held(), keys.follow_ups()]
    for queue in queues:
        names += [keys.attributes(queue), keys.schedule(queue), keys.ends(queue), keys.leases(queue)]
    number, entries, body, rc, fr, ends, lane = session.call(Call("task_of", names, id))
    outcomes = [
        outcome
        for key, fields in entries
        for outcome in read_entry(key, fields).outcomes
        if outcome.id == id and outcome.queue in queues
    ]
    if number < 0:
        with suppress(decode.Unreadable):
            unsent = read_follow_up(decode.message_json(decode.text(body)))
            return Whereabouts(unsent.queue if unsent.queue in queues else "", outcomes, unsent.body)
    if number <= 0:
        return Whereabouts("", outcomes)
    return Whereabouts(
        queues[number - 1],
        outcomes,
        decode.text(body),
        decode.integer(rc),
        _claimed_ms(fr, ends),
        decode.text(lane).partition(" ")[0],
    )


def _claimed_ms(fr: bytes, ends: bytes) -> int:
    """The start of the newest delivery (ms since 1970).

    If it is not stored, returns the start of the first delivery (``fr``), or 0 without a delivery.
    """
    newest = ends.split()[3:4]
    return decode.integer(newest[0] if newest and newest != [b"0"] else fr or b"0")
