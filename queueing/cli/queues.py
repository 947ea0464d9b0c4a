"""Verbs that make, change and end queues: create, set, pause, resume, delete."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from queueing.exceptions import QueueNotFound

from . import values
from .base import Verb, add_json, add_queue, add_yes
from .looks import show
from .output import Refused, Screen
from .text import counted

if TYPE_CHECKING:
    from queueing.client import QueueClient


def _add_attributes(parser: ArgumentParser, *, defaults: tuple[str, str, str] = ("", "", "")) -> None:
    vt, delay, maxsize = defaults
    parser.add_argument(
        "--vt", type=values.seconds, metavar="SECONDS", help=f"how long a received message stays hidden{vt}"
    )
    parser.add_argument(
        "--delay",
        type=values.seconds,
        metavar="SECONDS",
        help=f"how long a new message cannot be received{delay}",
    )
    parser.add_argument(
        "--maxsize",
        type=values.maxsize,
        metavar="UNITS",
        help=f"longest message in UTF-16 units, 1024 to 65536, or -1 for any{maxsize}",
    )


class Create(Verb):
    name = "create"
    help = "make a queue"
    description = """\
Make a queue, as RSMQ's createQueue does: every RSMQ program can use it at
once. Policies are given to it afterwards, with set."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        _add_attributes(parser, defaults=(" (30)", " (0)", " (65536)"))

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        client.create_queue(options.queue, vt=options.vt, delay=options.delay, maxsize=options.maxsize)
        screen.say(f"Created {options.queue}.")


class Set(Verb):
    name = "set"
    help = "change attributes and policies of a queue"
    description = """\
Change what is named and leave the rest; then the queue is shown.

With a redrive policy a message that was received --max-receive-count times
and is due again goes to the dead-letter queue, whichever program received it:
the next receive or sweep moves it. With a retention the next sweep drops what
has been ready for so long; what is delayed, running or retried stays."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        _add_attributes(parser)
        parser.add_argument(
            "--max-receive-count",
            type=values.receive_count,
            metavar="N",
            help="dead after so many receives, 1 to 1000",
        )
        parser.add_argument(
            "--dead-letter-queue",
            type=values.queue_name,
            metavar="NAME",
            help="where dead letters go (QUEUE-dead); it is made when it is needed",
        )
        parser.add_argument("--no-redrive", action="store_true", help="take the redrive policy away")
        retention = parser.add_mutually_exclusive_group()
        retention.add_argument(
            "--retention",
            type=values.retention,
            metavar="SECONDS",
            help="drop what has been ready for so long",
        )
        retention.add_argument("--no-retention", action="store_true", help="drop nothing")
        add_json(parser, "the queue as an object")

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        attributes = {name: getattr(options, name) for name in ("vt", "delay", "maxsize")}
        changes_attributes = any(value is not None for value in attributes.values())
        changes_redrive = options.max_receive_count or options.dead_letter_queue or options.no_redrive
        changes_retention = options.retention or options.no_retention
        if not (changes_attributes or changes_redrive or changes_retention):
            raise Refused("Say what to set: --vt, --delay, --maxsize, --max-receive-count or --retention.")
        # What can be refused comes first, so that nothing is half done.
        if changes_redrive:
            _set_redrive(client, options)
        if changes_retention:
            client.set_retention(options.queue, options.retention)
        if changes_attributes:
            client.set_queue_attributes(options.queue, **attributes)
        show(client, screen, options.queue, as_object=options.json)


def _set_redrive(client: "QueueClient", options: Namespace) -> None:
    if options.no_redrive:
        if options.max_receive_count or options.dead_letter_queue:
            raise Refused("--no-redrive takes the policy away: leave the other options of it out.")
        client.delete_redrive_policy(options.queue)
        return
    policy = client.get_queue_policy(options.queue)
    count = options.max_receive_count or policy.max_receive_count
    if not count:
        raise Refused("A dead-letter queue is for a redrive policy: say --max-receive-count, too.")
    dead = options.dead_letter_queue or policy.dead_letter_queue or None
    client.set_redrive_policy(options.queue, count, dead)


class Pause(Verb):
    name = "pause"
    help = "give out no more messages of a queue"
    description = """\
Give out no more messages: workers and receivers of this package find none
until the queue is resumed. Sends go on, and what runs is finished. Programs
that use RSMQ itself do not know about it and go on receiving."""

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        client.pause_queue(options.queue)
        screen.say(f"Paused {options.queue}: it takes messages and gives none out.")


class Resume(Verb):
    name = "resume"
    help = "give out messages of a paused queue again"
    description = "Give out messages again. Workers and receivers who wait get them at once."

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        client.resume_queue(options.queue)
        screen.say(f"Resumed {options.queue}.")


class Delete(Verb):
    name = "delete"
    help = "delete a queue with all its messages"
    description = """\
Delete a queue with all its messages, running ones included; its dead-letter
queue is another queue and stays. It asks first, with the number of messages."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        add_yes(parser)

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        figures = client.figures_of_queue(options.queue)
        if figures is None:
            raise QueueNotFound
        messages = counted(figures.attributes.msgs)
        if not options.yes:
            running = f", {figures.running} of them running" if figures.running else ""
            screen.confirm(f"Delete the queue {options.queue} with its {messages}{running}?")
        client.delete_queue(options.queue)
        screen.say(f"Deleted {options.queue} with its {messages}.")
