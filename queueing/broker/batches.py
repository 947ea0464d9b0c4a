"""Batches and chains in Redis: functions that run their scripts, and the follow-up messages.

A follow-up message is the next step of a chain, or the callback of a batch. The script that settles a message
also counts the message in its batch, and stores the follow-up message. See ``lua/lib/members.lua``.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from queueing.exceptions import BatchClosed, BatchNotFound
from queueing.messages import BatchState, Draft, sent_ms

from . import decode
from .rsmq_values import ID, QNAME
from .scripts import Call
from .session import Session

logger = logging.getLogger("queueing")

#: The name of the header with the id of the batch to which a message belongs (also in
#: ``lua/lib/members.lua``).
BATCH = "queueing-batch"
#: The name of the header with the remaining steps of the chain, as JSON.
CHAIN = "queueing-chain"
#: A batch is closed if its sender has not sent all members, and has sent nothing for this long.
SENDER_MS = 60_000
#: The number of newest batches whose titles are searched.
SEARCHED = 10_000
#: The most batches, messages or ids that one call reads.
STEP = 100


#: The fields of a follow-up message in its JSON.
STORED = ("id", "queue", "body", "task_queue", "takes_result", "due_ms", "priority", "headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp(Draft):
    """The next step of a chain, or the callback of a batch.

    ``queue`` is the queue to which the message is sent. ``task_queue`` is the queue of the task, or ``""`` if
    the message is not a task. The two differ only for a task with a priority below 0: ``queue`` is then the
    low-priority queue of ``task_queue``. If ``takes_result`` is true, the result of the previous step becomes
    the first argument of the task, or the whole body of a message that is not a task.
    """

    id: str
    queue: str
    task_queue: str = ""
    takes_result: bool = False

    def fields(self) -> dict[str, Any]:
        """The fields as a dict for JSON. Empty fields other than ``body`` are left out."""
        values = {name: getattr(self, name) for name in STORED}
        return {name: value for name, value in values.items() if value or name == "body"}

    def with_result(self, result: str) -> "FollowUp":
        """This message with the result of the previous step in its body, as a copy.

        ``result`` is JSON, or ``""`` for ``None``. If ``takes_result`` is false, returns this message itself.
        """
        if not self.takes_result:
            return self
        if not self.task_queue:
            return replace(self, body=result or "null")
        fields = decode.message_json(self.body)
        fields["args"] = [decode.message_json(result or "null"), *fields.get("args", [])]
        return replace(self, body=json.dumps(fields, separators=(",", ":")))


def read_follow_up(values: Any) -> FollowUp:
    """Make a ``FollowUp`` from a dict in the form that ``fields`` returns. Raises ``Unreadable``."""
    record = decode.Record(values if isinstance(values, dict) else {})
    due_ms = record.integer("due_ms") if "due_ms" in record else None
    headers = values.get("headers", {}) if isinstance(values, dict) else {}
    read = FollowUp(
        id=record.text("id"), queue=record.text("queue"), body=record.text("body"),
        task_queue=record.text("task_queue"), takes_result=record.is_true("takes_result"), due_ms=due_ms,
        priority=min(100, record.integer("priority")),
        headers=decode.Record(headers if isinstance(headers, dict) else {}).all_texts(),
    )  # fmt: skip
    if not (ID.fullmatch(read.id) and QNAME.fullmatch(read.queue)):
        raise decode.Unreadable("it is not a message with an id and a queue")
    return read


def next_step(headers: Mapping[str, str], result: str) -> tuple[str, str] | None:
    """The message to send after a message of a chain was settled. Returns its id and its JSON.

    ``headers`` and ``result`` are those of the settled message. Returns ``None`` if the chain has no further
    step, or if the headers are malformed.
    """
    if CHAIN not in headers:
        return None
    try:
        first, *rest = decode.message_json(headers[CHAIN])
        step = read_follow_up(first).with_result(result)
    except (ValueError, TypeError, AttributeError) as error:
        logger.error("the next step of a chain cannot be read: %s", error)
        return None
    following = {name: value for name, value in headers.items() if name == BATCH}
    if rest:
        following[CHAIN] = json.dumps(rest)
    return step.id, json.dumps(replace(step, headers=following).fields())


# --- scripts ----------------------------------------------------------------------------------


def open_batch(session: Session, id: str, record: str, on_success: str, on_failure: str) -> bool:
    """Open a batch, or confirm that the sender of its members is still alive.

    The sender calls this function repeatedly until it has sent all members. ``record`` is the JSON of the
    batch. ``on_success`` and ``on_failure`` are the JSON of its callbacks, ``""`` for none. Returns
    ``False`` if the batch is already closed.
    """
    return bool(session.call(Call("open_batch", _keys(session), id, record, on_success, on_failure)))


def seal_batch(session: Session, id: str, total: int) -> tuple[bool, list[bytes]]:
    """Store how many members a batch has. Its sender calls this after it has sent all members.

    Returns a pair. The first value is ``False`` if the batch was already closed, because its sender had been
    silent for ``SENDER_MS``. The second value has the follow-up messages that must be sent now, as JSON.
    """
    is_sealed, *texts = session.call(Call("seal_batch", _keys(session), id, total))
    return bool(is_sealed), texts


def due_follow_ups(session: Session, cursor: bytes = b"0") -> list[bytes]:
    """Close the batches whose senders have died, and read some of the follow-up messages to send now.

    The first item of the result is the cursor for the next call, or ``b"0"`` if all messages were read. The
    other items are the messages as JSON.
    """
    found: list[bytes] = session.call(Call("close_batches", _keys(session), SENDER_MS, STEP, cursor))
    return found


def cancel(session: Session, id: str) -> None:
    """Cancel a batch and the batches in it.

    Raises ``BatchNotFound``, and ``BatchClosed`` if the batch has ended.
    """
    word = session.call(Call("cancel_batch", [session.keys.batches()], id))
    if word == b"unknown":
        raise BatchNotFound
    if word == b"ended":
        raise BatchClosed("The batch has ended.")


def is_recalled(session: Session, id: str) -> bool:
    """Whether the batch ``id``, or a batch that contains it, was cancelled."""
    return bool(session.call(Call("is_recalled", [session.keys.batches()], id)))


def failed_members(session: Session, id: str) -> Iterator[dict[str, list[str]]]:
    """Yield the ids of the failed members of the batch ``id``, at most ``STEP`` in one step.

    They are grouped by the queue in which they died, which is ``""`` for nested batches.
    """
    last = b""
    while found := session.call(Call("failed_members", [session.keys.failed_members()], id, last, STEP)):
        by_queue: dict[str, list[str]] = defaultdict(list)
        for member, _, queue in (decode.text(name).partition(" ") for name in found):
            by_queue[queue].append(member)
        yield by_queue
        last = found[-1]


def newest(session: Session, first: int, count: int) -> tuple[int, list[BatchState]]:
    """The number of all batches, and the states of at most ``count`` batches, newest first.

    The states begin with the batch at index ``first``. The newest batch has index 0.
    """
    return _read(session, first, first + count - 1)


def find(session: Session, ids: Sequence[str]) -> list[BatchState]:
    """The states of the batches ``ids``, in this order. Batches that do not exist are left out."""
    return _read(session, "", "", *ids)[1]


def state_of(session: Session, id: str) -> BatchState:
    """The state of a batch. Raises ``BatchNotFound``."""
    for found in find(session, [id]):
        return found
    raise BatchNotFound


def search(session: Session, text: str, count: int) -> list[BatchState]:
    """The batch whose id is ``text``, else the newest batches with ``text`` in their titles.

    Returns at most ``count`` batches. Only the titles of the newest ``SEARCHED`` batches are searched.
    """
    found = find(session, [text])
    for first in range(0, 0 if found else SEARCHED, 1000):
        _, states = newest(session, first, 1000)
        found += [state for state in states if text.lower() in state.title.lower()]
        if not states or len(found) >= count:
            break
    return found[:count]


def _read(session: Session, *args: Any) -> tuple[int, list[BatchState]]:
    keys = [session.keys.batches(), session.keys.batch_order()]
    total, *rows = session.call(Call("read_batches", keys, *args))
    return int(total), [_state(*row) for row in rows]


def _state(
    id: bytes, record: bytes, done: bytes, failed: bytes, cancelled: bytes, total: bytes,
    ended: bytes, callback: bytes, recalled: bytes,
) -> BatchState:  # fmt: skip
    known = decode.record_or_empty(record)
    return BatchState(
        id=decode.text(id),
        title=known.text("title"),
        parent=known.text("parent"),
        queues=tuple(known.texts("queues")),
        total=decode.integer(total) if total else None,
        done=max(0, decode.integer(done)),
        failed=max(0, decode.integer(failed)),
        cancelled=max(0, decode.integer(cancelled)),
        started_ms=int(sent_ms(decode.text(id))),
        ended_ms=decode.integer(ended),
        callback={"done": "on_success", "": ""}.get(decode.text(callback), "on_failure"),
        is_cancelled=bool(recalled),
    )


def _keys(session: Session) -> list[str]:
    return [*session.keys.of_batches(), session.keys.opening_batches()]
