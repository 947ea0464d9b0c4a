"""Sending: RSMQ's sendMessage, and batches with due times, headers and deduplication."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.exceptions import MessageNotString, QueueError
from queueing.messages import Draft
from queueing.signals import emit, message_sent

from .base import BATCH, BATCH_BYTES, ClientBase, checked

#: The latest due time, in ms: what a Redis score holds exactly.
MAX_DUE_MS = 2**53
MAX_WINDOW_SECONDS = 9_999_999
MAX_PRIORITY = 100
SURROGATE = re.compile("[\ud800-\udfff]")


class Sends(ClientBase):
    """What puts messages into a queue."""

    def send_message(
        self,
        qname: str,
        message: str,
        *,
        delay: Any = None,
        delay_ms: int | None = None,
        due_ms: int | None = None,
        headers: Mapping[str, str] | None = None,
        deduplication_id: str | None = None,
        deduplication_seconds: int = 300,
    ) -> str:
        """RSMQ's sendMessage: the id. ``delay`` in seconds, ``None``: the queue's own.

        The others are those of ``Draft``. Raises ``QueueNotFound``, ``InvalidValue``,
        ``MessageNotString``, ``MessageTooLong``, ``QueueFull``. A repeat after a lost reply sends
        nothing twice.
        """
        draft: str | Draft = message
        if not (delay_ms is due_ms is deduplication_id is headers is None):
            draft = Draft(
                body=message,
                delay_ms=delay_ms,
                due_ms=due_ms,
                headers=headers or {},
                deduplication_id=deduplication_id,
                deduplication_seconds=deduplication_seconds,
            )
        qname, delay = self._sendable(qname, [draft], delay)
        return self._send_step(qname, [draft], delay)[0]

    def send_messages(self, qname: str, messages: Sequence[str | Draft], *, delay: Any = None) -> list[str]:
        """Send any number of texts or ``Draft``s in their order; the ids in the same order.

        ``delay`` in seconds is for all that name no time of their own. Raises what ``send_message``
        does, before anything is sent where the fault is in the parameters; they are sent in bounded
        steps, so any other error may come after some were sent.
        """
        qname, delay = self._sendable(qname, messages, delay)
        if len(messages) == 1:
            return self._send_step(qname, messages, delay)
        ids: list[str] = []
        for step in _steps(messages):
            ids += self._send_step(qname, step, delay)
        return ids

    def _sendable(self, qname: str, messages: Sequence[str | Draft], delay: Any) -> tuple[str, int | str]:
        qname = rsmq_values.qname(qname)
        try:
            delay = "" if delay is None else rsmq_values.seconds(delay, "delay")
            for message in messages:
                if not isinstance(message, str):
                    _check(message)
        except QueueError:
            self._find_queue(qname)
            raise
        return qname, delay

    def _send_step(self, qname: str, messages: Sequence[str | Draft], delay: Any) -> list[str]:
        call = self._senders.next_call(len(messages))
        own = (call.number, call.REMEMBERED_MS)
        keys, args = self._put(qname, messages, self.keys.sender(call.token), own, call.tails, delay)
        first_us, *sent_before = checked(self.scripts.run("send", keys, *args))
        self._senders.answered(call)
        ids = call.ids(int(first_us))
        for index, message in enumerate(messages):
            if isinstance(message, Draft) and message.id:
                ids[index] = message.id
        for index, id in zip(sent_before[::2], sent_before[1::2], strict=True):
            ids[index - 1] = id.decode()
        if message_sent.receivers:
            emit(message_sent, type(self), queue=qname, ids=ids, messages=messages)
        return ids

    def _put(
        self,
        qname: str,
        messages: Sequence[str | Draft],
        key: str,
        own: tuple[Any, Any],
        tails: Sequence[str],
        delay: Any = "",
    ) -> tuple[list[str], list[Any]]:
        """Keys and arguments of a script that includes lua/lib/put.lua.

        ``key`` is its third key; ``own`` are its first and fourth argument.
        """
        keys = [self.keys.attributes(qname), self.keys.schedule(qname), key, self.keys.headers(qname)]
        keys.append(self.keys.waking(qname))
        args = [own[0], self.keys.channel(qname), delay, own[1], len(messages)]
        extras: list[Any] = []
        for index, (tail, message) in enumerate(zip(tails, messages, strict=True), 1):
            body = message
            if isinstance(message, Draft):
                body, tail = message.body, message.id or tail
                extras += self._extras(qname, index, message, keys)
            args += (tail, rsmq_values.utf16_units(body), rsmq_values.encode(body))
        return keys, args + extras

    def _extras(self, qname: str, index: int, draft: Draft, keys: list[str]) -> Iterator[Any]:
        if draft.delay_ms is not None:
            yield from (index, "delay", draft.delay_ms)
        if draft.due_ms is not None:
            yield from (index, "due", draft.due_ms)
        if draft.headers:
            headers = json.dumps(dict(draft.headers))
            if len(headers) > decode.RECORD_BYTES:
                raise QueueError(f"The headers of a message may have {decode.RECORD_BYTES:,} bytes of JSON.")
            yield from (index, "headers", headers)
        if draft.priority:
            yield from (index, "priority", draft.priority)
        if draft.deduplication_id is not None:
            keys.append(self.keys.deduplication(qname, draft.deduplication_id))
            yield from (index, "once", f"{len(keys) - 5} {draft.deduplication_seconds * 1000}")


def _check(message: Any) -> None:
    """Refuse, before Redis is asked, what is no text and what no queue would take."""
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


def _steps(messages: Sequence[str | Draft]) -> Iterator[list[str | Draft]]:
    """Cut into bounded steps, by number and by characters."""
    step: list[str | Draft] = []
    size = 0
    for message in messages:
        length = len(message if isinstance(message, str) else message.body)
        if step and (len(step) == BATCH or size + length > BATCH_BYTES):
            yield step
            step, size = [], 0
        step.append(message)
        size += length
    if step:
        yield step
