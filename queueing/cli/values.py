"""The words of a command line as values; what is wrong with one is a sentence that says what to do.

Stricter than the client, which reads numbers as JavaScript does: nobody types ``5 apples`` on purpose.
"""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable

from queueing.broker import decode, rsmq_values
from queueing.exceptions import QueueError

from .text import inert

#: What a Redis score holds exactly, in ms.
MAX_MS = 2**53


def queue_name(text: str) -> str:
    try:
        return rsmq_values.qname(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{inert(text)}" is no queue name: use 1 to 160 letters, digits, - and _, but not QUEUES'
        ) from None


def message_id(text: str) -> str:
    try:
        return rsmq_values.message_id(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{inert(text)}" is no message id: it has 32 letters and digits, as send and peek print it'
        ) from None


def whole(low: int, high: int, what: str) -> Callable[[str], int]:
    """Takes a whole number between ``low`` and ``high``; ``what`` names it with its unit."""

    def number(text: str) -> int:
        value = _integer(text)
        if value is None or not low <= value <= high:
            raise ArgumentTypeError(f'"{inert(text)}" is not {what} from {low} to {high}')
        return value

    return number


def maxsize(text: str) -> int:
    try:
        return rsmq_values.maxsize(_integer(text))
    except QueueError:
        raise ArgumentTypeError(
            f'"{inert(text)}" is no size: use {rsmq_values.MIN_SIZE} to {rsmq_values.MAX_SIZE}, or -1 for any'
        ) from None


def _integer(text: str) -> int | None:
    """Python also reads ``1_000`` and the digits of other scripts, which nobody means to type here."""
    return int(text) if re.fullmatch("-?[0-9]{1,16}", text) else None


def header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentTypeError(f'"{inert(text)}" is no header: write NAME=VALUE')
    return name, value


def deduplication_id(text: str) -> str:
    if not text or text != decode.text(text.encode("utf-8", "replace")):
        raise ArgumentTypeError("a deduplication id is a text of at least one character in UTF-8")
    return text


seconds = whole(0, rsmq_values.MAX_SECONDS, "a whole number of seconds")
retention = whole(1, rsmq_values.MAX_SECONDS, "a whole number of seconds")
milliseconds = whole(0, MAX_MS, "a whole number of milliseconds")
wait = whole(0, 3600, "a whole number of seconds")
count = whole(1, 1_000_000_000, "a number of messages")
peeked = whole(1, 1000, "a number of messages")
receive_count = whole(1, 1000, "a number of receives")
