"""Receiving: RSMQ's receiveMessage and popMessage, and receiving many, with waiting."""

import time
from collections.abc import Iterator
from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.broker.subscription import POLL_SECONDS
from queueing.exceptions import QueueError, ReplyLost
from queueing.messages import Message, sent_ms

from .base import BATCH_BYTES, ClientBase, steps

#: The longest wait of one call.
MAX_WAIT_SECONDS = 3600


class Receives(ClientBase):
    """What takes messages out of a queue."""

    def receive_message(self, qname: str, *, vt: Any = None) -> Message | None:
        """RSMQ's receiveMessage: the next due message, hidden for ``vt`` seconds, or ``None``.

        ``vt=None``: the queue's own. Raises ``QueueNotFound``, ``InvalidValue``, and ``ReplyLost``
        where a message may have been taken: it comes back after its ``vt``.
        """
        qname, vt = self._receivable(qname, vt)
        messages, _ = self._take("receive", qname, vt, 1)
        return messages[0] if messages else None

    def receive_messages(
        self, qname: str, count: int = 10, *, vt: Any = None, wait_seconds: float = 0
    ) -> list[Message]:
        """Up to ``count`` due messages in their order, each hidden for ``vt`` seconds.

        Where none is due it waits up to ``wait_seconds`` for the first: one that is sent by us or
        comes due is received at once, one that another program sends without announcing it within
        the poll interval. Raises what ``receive_message`` does.
        """
        qname, vt = self._receivable(qname, vt)
        if not (isinstance(count, int) and count >= 1):
            raise QueueError("count must be a whole number from 1.")
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            raise QueueError(f"wait_seconds must be between 0 and {MAX_WAIT_SECONDS}.")
        messages, due_in_seconds = self._take_many(qname, vt, count)
        if messages or not wait_seconds:
            return messages
        deadline = time.monotonic() + wait_seconds
        with self.wakeups.of(self.keys.channel(qname)) as wakeup:
            while not messages:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                wakeup.wait(min(remaining, due_in_seconds, POLL_SECONDS))
                messages, due_in_seconds = self._take_many(qname, vt, count)
        return messages

    def pop_message(self, qname: str) -> Message | None:
        """RSMQ's popMessage: the next due message, deleted as it is taken, or ``None``.

        Raises ``QueueNotFound``, and ``ReplyLost`` where one message may have been taken: then it is
        gone.
        """
        messages, _ = self._take("pop", rsmq_values.qname(qname), "", 1)
        return messages[0] if messages else None

    def _receivable(self, qname: str, vt: Any) -> tuple[str, int | str]:
        qname = rsmq_values.qname(qname)
        try:
            return qname, "" if vt is None else rsmq_values.seconds(vt, "vt")
        except QueueError:
            self._find_queue(qname)
            raise

    def _take_many(self, qname: str, vt: Any, count: int) -> tuple[list[Message], float]:
        messages: list[Message] = []
        due_in_seconds = float("inf")
        for step in steps(count):
            try:
                taken, due_in_seconds = self._take("receive", qname, vt, step)
            except QueueError:
                # What has been taken already is the caller's; the error will come again.
                if messages:
                    break
                raise
            messages += taken
            if not taken:
                break
        return messages, due_in_seconds

    def _take(self, script: str, qname: str, vt: Any, count: int) -> tuple[list[Message], float]:
        """The messages, and in how many seconds the next one comes due where there were none."""
        while True:
            try:
                now_ms, next_due_ms, *fields = self._run_burying(
                    script, self._waking_keys, qname, vt, count, BATCH_BYTES, repeatable=False
                )
            except ReplyLost as error:
                raise ReplyLost(f"{error}; one message may have been taken") from error
            due_ms = decode.integer(next_due_ms)
            # Nothing, and more is due: it has met so many dead letters that it stopped for others.
            if fields or due_ms != int(now_ms):
                break
        wait_seconds = (due_ms - int(now_ms)) / 1000 if due_ms else float("inf")
        return list(_messages(fields)), max(0.0, wait_seconds)


def _messages(fields: list[Any]) -> Iterator[Message]:
    for start in range(0, len(fields), 5):
        yield read_message(*fields[start : start + 5])


def read_message(id: bytes, body: bytes, rc: Any, fr: Any, headers: bytes) -> Message:
    """A message as the scripts reply it."""
    return message_of(id, body, rc, fr, read_headers(headers))


def message_of(id: bytes, body: bytes, rc: Any, fr: Any, headers: dict[str, str]) -> Message:
    """A message as the scripts reply it, with its headers read."""
    text = decode.text(id)
    return Message(
        text, decode.text(body), decode.integer(rc), decode.integer(fr), sent_ms(text), headers
    )  # fmt: skip


def read_headers(stored: bytes) -> dict[str, str]:
    """The headers of a message; none where another program has left something else there."""
    try:
        return headers_in(stored)
    except decode.Unreadable:
        return {}


def headers_in(stored: bytes) -> dict[str, str]:
    """The headers of a message. Raises ``Unreadable``."""
    if stored.startswith(b"p"):
        stored = stored.partition(b" ")[2]
    return decode.record(stored).all_texts() if stored else {}
