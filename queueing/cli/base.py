"""The base class of the verbs (subcommands) of ``manage.py queues``, and the types of their arguments.

If an argument is invalid, its type raises an error whose text includes the remedy. The types are stricter
than the client. The client parses numbers as JavaScript does and takes ``5 apples`` for 5, but on the command
line this must be an error.
"""

import re
from argparse import ArgumentTypeError, Namespace, _ActionsContainer
from collections.abc import Callable
from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.text.printable import printable

from .output import Screen

#: The largest number of ms, because a Redis score does not store larger integers exactly.
MAX_MS = 2**53


#: A function that adds an argument to a parser.
Argument = Callable[[_ActionsContainer], object]


def arg(*names: str, **options: Any) -> Argument:
    """Return a function that adds an argument to a parser. The parameters are those of ``add_argument``."""
    return lambda parser: parser.add_argument(*names, **options)


def one_of(*arguments: Argument) -> Argument:
    """Return a function that adds a group of arguments, of which a user may give only one."""

    def add(parser: _ActionsContainer) -> None:
        group = parser.add_mutually_exclusive_group()
        for argument in arguments:
            argument(group)

    return add


def json(what: str) -> Argument:
    """The option ``--json``. ``what`` describes the output in the help of the option."""
    return arg("--json", action="store_true", help=f"print {what}, as plain ASCII")


def queue_name(text: str) -> str:
    try:
        return rsmq_values.qname(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{printable(text)}" is not a queue name: use 1 to 160 letters, digits, - and _, but not QUEUES'
        ) from None


def message_id(text: str) -> str:
    try:
        return rsmq_values.message_id(text)
    except QueueError:
        raise ArgumentTypeError(
            f'"{printable(text)}" is not an id: an id has 32 letters and digits (see peek or batches)'
        ) from None


def whole(low: int, high: int, what: str) -> Callable[[str], int]:
    """An argument type for whole numbers from ``low`` to ``high``.

    Its error messages describe the number with ``what``, such as ``a number of messages``.
    """

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
            f'"{printable(text)}" is not a size: '
            f"use {rsmq_values.MIN_SIZE} to {rsmq_values.MAX_SIZE}, or -1 for any"
        ) from None


def _integer(text: str) -> int | None:
    """Parse an integer of ASCII digits. Returns ``None`` for any other text.

    ``int`` would also accept ``1_000`` and digits of other scripts.
    """
    return int(text) if re.fullmatch("-?[0-9]{1,16}", text) else None


def header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentTypeError(f'"{printable(text)}" is not a header: write NAME=VALUE')
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

QUEUE = arg("queue", metavar="QUEUE", type=queue_name, help="name of the queue")
#: The option of verbs that delete something.
YES = arg("--yes", action="store_true", help="do not ask")


class Verb:
    """One verb (subcommand) of ``manage.py queues``: its name, its help, its arguments and its action."""

    name: str
    #: The line about the verb in the list of verbs.
    help: str
    #: The text above the options in the help of the verb, in lines of less than 80 characters.
    description: str

    #: The arguments of the verb, in the order in which its help lists them.
    arguments: tuple[Argument, ...] = (QUEUE,)
    #: Whether the verb covers all partitions. It then leaves out partitions that do not answer.
    lists = False

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        """Run the verb. ``options`` are the parsed arguments.

        It may raise any ``QueueError`` or ``DatabaseError``. The command prints the error as a sentence.
        """
        raise NotImplementedError
