"""Prepares messages for a send: validates them, splits them into steps, and makes the calls of scripts."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from queueing.broker import decode, rsmq_values
from queueing.broker.batches import FollowUp
from queueing.broker.idempotency import SendCall
from queueing.broker.keys import Keys
from queueing.broker.scripts import Call, pattern
from queueing.broker.slices import slices
from queueing.broker.task_body import is_task
from queueing.exceptions import MessageNotString, QueueError
from queueing.messages import Draft
from queueing.policies import limits, unique
from queueing.policies.above import above

Message = TypeVar("Message", bound=str | Draft)

#: Messages per script call. Lua's stack is limited, and other clients wait during a call.
BATCH = 1000
#: Bytes of bodies per script call.
BATCH_BYTES = 1_000_000
#: The latest due time in ms: the largest integer that a Redis score stores exactly.
MAX_DUE_MS = 2**53
MAX_WINDOW_SECONDS = 9_999_999
MAX_PRIORITY = 100
#: The beginning of the names of headers that this package sets.
OWN_HEADERS = "queueing-"
SURROGATE = re.compile("[\ud800-\udfff]")


def put(
    script: str,
    keys: Keys,
    qname: str,
    messages: Sequence[str | Draft],
    *,
    tails: Sequence[str],
    key: str,
    own: tuple[Any, Any],
    delay: int | str = "",
    replaces: bool = True,
) -> Call:
    """Make the call of ``script`` for ``messages``. The script must include ``lua/lib/put.lua``.

    ``tails`` are the random parts of the message ids. ``delay`` is in seconds, ``""`` for the delay of the
    queue. If ``replaces`` is false, a message does not replace an earlier one with the same unique key. The
    meaning of two parameters depends on the script: ``key`` is its third key, and ``own`` has its first and
    its fourth argument.
    """
    names = [keys.attributes(qname), keys.schedule(qname), key, keys.headers(qname), keys.waking(qname)]
    names += keys.of_idle()
    args = [own[0], keys.channel(qname), delay, own[1], len(messages)]
    extras: list[Any] = []
    for index, (tail, message) in enumerate(zip(tails, messages, strict=True), 1):
        if isinstance(message, Draft):
            extras += _extras(keys, qname, index, message, names, replaces)
            tail, message = message.id or tail, message.body
        args += (tail, rsmq_values.utf16_units(message), message)
    return Call(script, names, *args, *extras)


class TextSend:
    """Makes the calls that send single texts without options to one queue.

    The constant part of the command is encoded only once.
    """

    def __init__(self, keys: Keys, qname: str) -> None:
        self._sender = keys.sender
        self._before, self._after = (keys.attributes(qname), keys.schedule(qname)), keys.of_idle()
        self._same = qname, keys.channel(qname)
        holes = Call("send_text", self.keys(None), *self.args(None, None, None))
        self._pattern = pattern(holes.command(whole=False))

    def keys(self, sender: Any) -> list[Any]:
        return [*self._before, sender, *self._after]

    def args(self, number: Any, tail: Any, text: Any) -> tuple[Any, ...]:
        return (number, *self._same, tail, text, SendCall.REMEMBERED_MS)

    def call(self, sending: SendCall, text: str) -> Call:
        """Make the call that sends ``text``. Redis replies with the message id.

        If the script cannot send this text, the reply is ``None``. The caller must then send it with ``put``.
        """
        sender = self._sender(sending.token)
        name, number = sender.encode(), b"%d" % sending.number
        tail, body = sending.tails[0].encode(), rsmq_values.encode(text)
        packed = self._pattern % (len(name), name, len(number), number, len(tail), tail, len(body), body)
        return TextCall(self, sender, sending, text, packed)


class TextCall(Call):
    """A call of ``TextSend``. Its keys and arguments are made only if they are needed, which is rare."""

    __slots__ = ("_made_by", "_sender", "_sending", "_text")

    def __init__(self, made_by: TextSend, sender: str, sending: SendCall, text: str, packed: bytes) -> None:
        self.script, self.repeatable, self.packed = "send_text", True, packed
        self._made_by, self._sender, self._sending, self._text = made_by, sender, sending, text

    @property
    def keys(self) -> list[str]:  # type: ignore[override]
        return self._made_by.keys(self._sender)

    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]
        return self._made_by.args(str(self._sending.number), self._sending.tails[0], self._text)


def _extras(
    keys: Keys, qname: str, index: int, draft: Draft, names: list[str], replaces: bool
) -> Iterator[Any]:
    if draft.delay_ms is not None:
        yield from (index, "delay", draft.delay_ms)
    if draft.due_ms is not None:
        yield from (index, "due", draft.due_ms)
    if draft.headers:
        yield from (index, "headers", json_of(draft.headers))
    if words := unique.option(draft.headers):
        if keys.unique(qname) not in names:
            names += keys.unique(qname), keys.ends(qname), keys.waits()
        if not replaces:
            words = words.replace(" replace ", " skip ")
        yield from (index, "unique", f"{names.index(keys.unique(qname)) - 7} {words}")
    if draft.priority:
        yield from (index, "priority", draft.priority)
    if draft.deduplication_id is not None:
        names.append(keys.deduplication(qname, draft.deduplication_id))
        yield from (index, "once", f"{len(names) - 8} {draft.deduplication_seconds * 1000}")


def json_of(headers: Mapping[str, str]) -> str:
    """Encode headers as JSON. Raises ``QueueError`` if the JSON is too long."""
    text = json.dumps(dict(headers))
    if len(text) > decode.RECORD_BYTES:
        raise QueueError(f"The headers of a message may have {decode.RECORD_BYTES:,} bytes of JSON.")
    return text


def check(message: Any) -> None:
    """Check a message with options.

    Raises ``MessageNotString`` if it is not a ``Draft`` with a string as its body, and ``QueueError`` if an
    option is invalid.
    """
    if not isinstance(message, Draft) or not isinstance(message.body, str):
        raise MessageNotString
    if message.delay_ms is not None and message.due_ms is not None:
        raise QueueError("A message has delay_ms or due_ms, not both.")
    for name, ms in (("delay_ms", message.delay_ms), ("due_ms", message.due_ms)):
        if ms is not None and not (type(ms) is int and 0 <= ms <= MAX_DUE_MS):
            raise QueueError(f"{name} must be a whole number of milliseconds from 0 to {MAX_DUE_MS}.")
    if not all(isinstance(text, str) for pair in message.headers.items() for text in pair):
        raise QueueError("Headers must be texts with texts as their names.")
    if not (type(message.priority) is int and 0 <= message.priority <= MAX_PRIORITY):
        raise QueueError(f"priority must be a whole number from 0 to {MAX_PRIORITY}.")
    if message.id is not None:
        rsmq_values.message_id(message.id)
    if message.deduplication_id is not None and not (
        isinstance(message.deduplication_id, str)
        and message.deduplication_id
        and not SURROGATE.search(message.deduplication_id)
        and type(message.deduplication_seconds) is int
        and 1 <= message.deduplication_seconds <= MAX_WINDOW_SECONDS
    ):
        raise QueueError("A deduplication_id must be a text, for a window of whole seconds from 1.")


def is_plain(qname: str) -> bool:
    """Whether messages are sent to a queue as they are, because no policy of a handler requires headers."""
    return _handler_of(qname) is None


def complete(qname: str, messages: Sequence[str | Draft]) -> Sequence[str | Draft]:
    """Add the headers for unique jobs and limits, if the policy of the queue's handler requires them.

    Raises the errors of ``unique.headers`` and ``limits.headers``.
    """
    handler = _handler_of(qname)
    return messages if handler is None else [_completed(message, qname, handler) for message in messages]


def _handler_of(qname: str) -> Any:
    """The handler of the queue if its policy requires headers for unique jobs or limits, else ``None``."""
    handler = above.handler_of(qname)
    if handler is None:
        return None
    policy = handler.policy
    return handler if policy.unique or (policy.limit and policy.key) else None


def _completed(message: str | Draft, qname: str, handler: Any) -> Draft:
    draft = Draft(body=message) if isinstance(message, str) else message
    if is_task(draft.body):
        return draft
    headers = {**limits.of_handler(qname, draft.body), **draft.headers}
    # Members of batches and steps of chains are not merged: the batch or chain waits for the end of each.
    # A single step of a chain has no header of a chain.
    own = (name for name in draft.headers if name.startswith(OWN_HEADERS) and name != limits.HEADER)
    if not (isinstance(draft, FollowUp) or any(own)):
        headers.update(unique.headers(handler.policy, handler.name, [draft.body], {}))
    return replace(draft, headers=headers)


def steps(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Split messages into steps of limited number and length."""
    return slices(messages, _characters, size=BATCH_BYTES, count=BATCH)


def _characters(message: str | Draft) -> int:
    return len(message if isinstance(message, str) else message.body)
