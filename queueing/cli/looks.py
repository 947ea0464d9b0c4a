"""Verbs that only look: list, show, peek."""

import dataclasses
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from queueing.broker.outcomes import COUNTED, State
from queueing.exceptions import QueueNotFound
from queueing.messages import QueueFigures, QueuePolicy

from .base import Verb, add_json, add_queue
from .output import Screen
from .text import duration, moment
from .values import peeked
from .warnings import warn

if TYPE_CHECKING:
    from queueing.client import QueueClient

COLUMNS = ("queue", *COUNTED, "latency", "paused")
ATTRIBUTES = ("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")

#: What stands beside a figure of ``show``.
MEANINGS = {
    State.READY: "can be received now",
    State.DELAYED: "due later, or hidden by a receive",
    State.RUNNING: "held by a worker",
    State.DEAD: "in its dead-letter queue",
    "latency": "age of the oldest ready message",
    "paused": "whether it gives out messages",
    "vt": "seconds a received message stays hidden",
    "delay": "seconds a new message stays hidden",
    "maxsize": "UTF-16 units of a message, -1: any",
    "totalrecv": "receives ever",
    "totalsent": "messages ever sent",
    "msgs": "messages in the queue",
    "hiddenmsgs": "those not ready",
    "max_receive_count": "receives after which a message is dead",
    "dead_letter_queue": "where it goes then",
    "retention_seconds": "a message ready for so long is dropped",
}


class List(Verb):
    name = "list"
    help = "all queues with their figures"
    description = """\
All queues by name, with how many messages are ready, delayed, running and
dead, the age of the oldest ready message (latency) and whether the queue is
paused. Autoscalers read --json, where the age is latency_seconds."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--long", action="store_true", help="RSMQ's nine attributes, too, in a wide table")
        add_json(form, "an array with an object for each queue")

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        figures = client.queue_figures()
        if options.json:
            screen.json([as_json(queue) for queue in figures])
            return
        if not figures:
            screen.say('There is no queue: "manage.py queues create NAME" makes one.')
        else:
            columns = COLUMNS + ATTRIBUTES if options.long else COLUMNS
            screen.table([columns, *([_words(queue)[name] for name in columns] for queue in figures)])
        warn(client, screen, figures, client.list_queues())


class Show(Verb):
    name = "show"
    help = "one queue: figures, attributes and policies"
    description = """\
Everything about one queue: its figures, RSMQ's nine attributes by RSMQ's
names, and what it has beyond them: redrive policy, retention, paused."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        add_json(parser, "an object")

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        show(client, screen, options.queue, as_object=options.json)


class Peek(Verb):
    name = "peek"
    help = "look at messages without receiving them"
    description = """\
Messages in the order of their delivery with id, state, receive count (rc) and
the beginning of the body. They are not received: nothing is hidden or counted.
What is not printable is written out, as in \\n; --json has bodies in whole."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        parser.add_argument(
            "--count", type=peeked, default=10, metavar="N", help="how many at the most, up to 1000 (10)"
        )
        parser.add_argument("--newest", action="store_true", help="from the end of the queue")
        add_json(parser, "an array with an object for each message")

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        messages = client.peek_messages(options.queue, count=options.count, newest=options.newest)
        if options.json:
            screen.json([dataclasses.asdict(message) for message in messages])
            return
        if not messages:
            screen.note(f"{options.queue} has no messages.")
        for message in messages:
            screen.row(f"{message.id}  {message.state:8}  rc {message.rc}  ", message.body)


def show(client: "QueueClient", screen: Screen, name: str, *, as_object: bool) -> None:
    """Print everything about one queue. Raises ``QueueNotFound``."""
    # The policy first: it knows where the dead letters are that the figures count.
    policy = client.get_queue_policy(name)
    figures = client.figures_of_queue(name)
    if figures is None:
        raise QueueNotFound
    if as_object:
        screen.json(as_json(figures) | dataclasses.asdict(policy))
        return
    words = _words(figures) | _policy_words(policy)
    screen.table([(name, words[name], MEANINGS.get(name, "")) for name in words], right=False)
    warn(client, screen, [figures])


def as_json(figures: QueueFigures) -> dict[str, Any]:
    """One queue for programs: everything in one flat object, times with their unit in the name."""
    fields = {field.name: getattr(figures, field.name) for field in dataclasses.fields(figures)}
    name, attributes = fields.pop("name"), fields.pop("attributes")
    return {"queue": name, **fields, **dataclasses.asdict(attributes)}


def _words(figures: QueueFigures) -> dict[str, str]:
    values = as_json(figures)
    attributes = {name: str(values[name]) for name in ATTRIBUTES}
    return {
        **{name: str(values[name]) for name in ("queue", *COUNTED)},
        "latency": duration(figures.latency_seconds) if figures.ready else "-",
        "paused": "yes" if figures.paused else "no",
        **attributes,
        **{name: moment(values[name]) for name in ("created", "modified")},
    }


def _policy_words(policy: QueuePolicy) -> dict[str, str]:
    return {
        "max_receive_count": str(policy.max_receive_count or "-"),
        "dead_letter_queue": policy.dead_letter_queue or "-",
        "retention_seconds": str(policy.retention_seconds or "-"),
    }
