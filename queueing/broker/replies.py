"""Parses the replies of scripts: messages, attributes and figures of queues, and progress of runs."""

import re
from collections.abc import Sequence
from typing import Any

from queueing.messages import (
    KeyLimit,
    Message,
    PeekedMessage,
    Progress,
    QueueAttributes,
    QueueFigures,
    QueueLimits,
    sent_ms,
)  # fmt: skip

from . import decode
from .outcomes import State

#: An incomplete UTF-8 character at the end of a text.
HALF_CHARACTER = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")


def attributes(reply: Sequence[Any]) -> QueueAttributes:
    return QueueAttributes(*(decode.integer(value) for value in reply[:9]))


def figures(name: str, reply: Sequence[Any]) -> QueueFigures:
    found = attributes(reply)
    ready, running, dead, waiting_ms = map(decode.integer, reply[9:13])
    delayed = max(0, found.msgs - ready - running)
    return QueueFigures(name, found, ready, delayed, running, dead, waiting_ms / 1000, bool(reply[13]))


def messages(fields: Sequence[Any]) -> list[Message]:
    """Parse received messages from a flat list with five values for each message."""
    return [
        message(*fields[start : start + 4], headers=headers_or_empty(fields[start + 4]))
        for start in range(0, len(fields), 5)
    ]


def message(id: bytes, body: bytes, rc: Any, fr: Any, *, headers: dict[str, str]) -> Message:
    """Make a ``Message`` from its stored values and its decoded headers."""
    text = decode.text(id)
    return Message(text, decode.text(body), decode.integer(rc), decode.integer(fr), sent_ms(text), headers)


def peeked(
    id: bytes,
    body: bytes,
    rc: Any,
    due_ms: Any,
    state: bytes,
    size_bytes: int,
    headers: bytes,
    waits: int,
) -> PeekedMessage:
    """Make a ``PeekedMessage`` from one item of the reply of ``peek.lua``."""
    text = decode.text(id)
    return PeekedMessage(
        id=text,
        # The script may cut a long body in the middle of a character.
        body=decode.text(HALF_CHARACTER.sub(b"", body) if len(body) < size_bytes else body),
        rc=decode.integer(rc),
        due_ms=decode.integer(due_ms),
        sent=sent_ms(text),
        state=State(state.decode()),
        size_bytes=size_bytes,
        headers=headers_or_empty(headers),
        waits_for_limit=bool(waits),
    )


def limits(reply: Sequence[Any]) -> QueueLimits:
    running, waiting, *fields = reply
    keys = [
        KeyLimit(decode.text(key), int(held), int(line))
        for key, held, line in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]
    return QueueLimits(int(running), int(waiting), tuple(keys))


def headers_or_empty(stored: bytes) -> dict[str, str]:
    """Parse the headers of a message. Returns an empty dict if they are unreadable."""
    try:
        return headers(stored)
    except decode.Unreadable:
        return {}


def headers(stored: bytes) -> dict[str, str]:
    """Parse the headers of a message. Raises ``Unreadable``."""
    if stored.startswith(b"p"):
        stored = stored.partition(b" ")[2]
    return decode.record(stored).all_texts() if stored else {}


def progress(text: bytes) -> Progress:
    """Parse the progress of a run from ``"<fraction> <note>"``."""
    fraction, _, note = text.partition(b" ")
    return Progress(min(1.0, max(0.0, decode.fraction(fraction))), decode.text(note))
