"""The base class of the verbs of ``manage.py queues``, and the types of their arguments.

A type reports what is wrong with a word in a sentence that says what to do. It is stricter than the client,
which reads numbers as JavaScript does: nobody types ``5 apples`` on purpose.
"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ActionsContainer
from collections.abc import Callable

from queueing.broker import decode, rsmq_values
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.text.printable import printable

from .output import Screen

#: What a Redis score holds exactly, in ms.
MAX_MS = 2**53


class Verb:
    """One verb: how it is called, what it says of itself and what it does.

    ``run`` may raise any ``QueueError``; the command makes a sentence of it.
    """

    name: str
    #: One line in the list of verbs.
    help: str
    #: The page of documentation above the options, in lines of less than 80 characters.
    description: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verb's arguments; most have a queue and nothing else."""
        add_queue(parser)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        """Do it."""
        raise NotImplementedError


def add_queue(parser: ArgumentParser) -> None:
    """The argument QUEUE."""
    parser.add_argument("queue", metavar="QUEUE", type=queue_name, help="name of the queue")


def add_yes(parser: ArgumentParser) -> None:
    """The option of all verbs that destroy."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def add_json(parser: _ActionsContainer, what: str) -> None:
    """The option of all verbs that print for people unless told otherwise."""
    parser.add_argument("--json", action="store_true", help=f"print {what}, as plain ASCII")


def queue_name(text: str) -> str:
    try:
        return rsmq_values.qname(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{printable(text)}" is no queue name: use 1 to 160 letters, digits, - and _, but not QUEUES'
        ) from None


def message_id(text: str) -> str:
    try:
        return rsmq_values.message_id(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{printable(text)}" is no message id: it has 32 letters and digits, as send and peek print it'
        ) from None


def whole(low: int, high: int, what: str) -> Callable[[str], int]:
    """Takes a whole number between ``low`` and ``high``; ``what`` names it with its unit."""

    def number(text: str) -> int:
        value = _integer(text)
        if value is None or not low <= value <= high:
            raise ArgumentTypeError(f'"{printable(text)}" is not {what} from {low} to {high}')
        return value

    return number


def maxsize(text: str) -> int:
    try:
        return rsmq_values.maxsize(_integer(text))
    except QueueError:
        raise ArgumentTypeError(
            f'"{printable(text)}" is no size: '
            f"use {rsmq_values.MIN_SIZE} to {rsmq_values.MAX_SIZE}, or -1 for any"
        ) from None


def _integer(text: str) -> int | None:
    """Python also reads ``1_000`` and the digits of other scripts, which nobody means to type here."""
    return int(text) if re.fullmatch("-?[0-9]{1,16}", text) else None


def header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentTypeError(f'"{printable(text)}" is no header: write NAME=VALUE')
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
