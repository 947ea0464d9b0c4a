"""What every verb of ``manage.py queues`` is."""

from argparse import ArgumentParser, Namespace, _ActionsContainer
from typing import TYPE_CHECKING

from . import values
from .output import Screen

if TYPE_CHECKING:
    from queueing.client import QueueClient


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

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        """Do it."""
        raise NotImplementedError


def add_queue(parser: ArgumentParser) -> None:
    """The argument QUEUE."""
    parser.add_argument("queue", metavar="QUEUE", type=values.queue_name, help="name of the queue")


def add_yes(parser: ArgumentParser) -> None:
    """The option of all verbs that destroy."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def add_json(parser: _ActionsContainer, what: str) -> None:
    """The option of all verbs that print for people unless told otherwise."""
    parser.add_argument("--json", action="store_true", help=f"print {what}, as plain ASCII")
