"""Verbs for single messages: send, receive, cancel."""

import dataclasses
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from queueing.broker.outcomes import State
from queueing.conf import get_conf
from queueing.exceptions import QueueExists, QueueNotFound
from queueing.messages import Message

from . import values
from .base import Verb, add_queue, add_yes
from .output import Refused, Screen
from .text import counted

if TYPE_CHECKING:
    from queueing.client import QueueClient

#: Messages that are received, printed and deleted at a time.
STEP = 100
#: Why a message was not cancelled.
LEFT_ALONE = {
    "running": "a worker holds it",
    "hidden": "another receiver has it",
    "gone": "it is not in its queue",
}


class Send(Verb):
    name = "send"
    help = "send a message and print its id"
    description = """\
Send one message and print its id. With - as MESSAGE the body is read from
stdin as it is, its last line break included:

  printf '{"to": 7}' | manage.py queues send emails -

A MESSAGE that begins with a hyphen comes after --. A queue of the setting
QUEUES that is missing is made first."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        parser.add_argument("message", metavar="MESSAGE", help="the body, or - for stdin")
        time = parser.add_mutually_exclusive_group()
        time.add_argument(
            "--delay",
            type=values.seconds,
            metavar="SECONDS",
            help="when it can be received (the queue's delay)",
        )
        time.add_argument(
            "--delay-ms", type=values.milliseconds, metavar="MS", help="the same in milliseconds"
        )
        parser.add_argument(
            "--header",
            type=values.header,
            action="append",
            default=[],
            dest="headers",
            metavar="NAME=VALUE",
            help="a text beside the body, seen by receivers of this package; any number",
        )
        parser.add_argument(
            "--deduplication-id",
            type=values.deduplication_id,
            metavar="ID",
            help="if one with this id was sent in the last 5 minutes, print its id and send nothing",
        )

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        headers = dict(options.headers)
        if len(headers) < len(options.headers):
            raise Refused("Two headers have the same name: give each a name of its own.")
        how = {
            "delay": options.delay,
            "delay_ms": options.delay_ms,
            "headers": headers or None,
            "deduplication_id": options.deduplication_id,
        }
        body = screen.read_all() if options.message == "-" else options.message
        screen.say(_send(client, options.queue, body, how))


def _send(client: "QueueClient", qname: str, body: str, how: dict[str, Any]) -> str:
    try:
        return client.send_message(qname, body, **how)
    except QueueNotFound:
        if qname not in get_conf().QUEUES:
            raise
        with suppress(QueueExists):
            client.create_queue(qname)
        return client.send_message(qname, body, **how)


class Receive(Verb):
    name = "receive"
    help = "receive messages and print them as JSON lines"
    description = """\
Receive messages that are due and print each as a line of JSON: id, body, rc
(receives, this one included), fr (first receive, ms), sent (ms) and headers.

A received message is hidden for the vt and comes back unless it is deleted:
with --delete it is, as soon as it is printed. If it comes back before that, it
is left alone and will be received again."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        parser.add_argument(
            "--count", type=values.count, default=1, metavar="N", help="how many at the most (1)"
        )
        parser.add_argument(
            "--vt", type=values.seconds, metavar="SECONDS", help="how long they stay hidden (the queue's vt)"
        )
        parser.add_argument(
            "--wait",
            type=values.wait,
            default=0,
            metavar="SECONDS",
            help="how long to wait for the first one, up to 3600 (0)",
        )
        parser.add_argument("--delete", action="store_true", help="delete what is printed")

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        printed = deleted = 0

        def so_far() -> str:
            gone = f", {deleted} deleted" if options.delete else ""
            return f"{counted(printed)} received{gone}" if printed else ""

        screen.so_far = so_far
        for messages in _received(client, options):
            for message in messages:
                screen.json(dataclasses.asdict(message), indent=None)
            # What nobody could read is not deleted.
            screen.flush()
            printed += len(messages)
            if options.delete:
                deleted += sum(client.delete_messages(options.queue, messages))
        if not printed:
            paused = client.get_queue_policy(options.queue).paused
            screen.note(
                f"{options.queue} is paused and gives out no message: resume it first."
                if paused
                else f"No message of {options.queue} is due."
            )
        elif options.delete and deleted < printed:
            screen.note(
                f"{counted(printed - deleted)} came due again before the deletion: use a longer --vt."
            )


def _received(client: "QueueClient", options: Namespace) -> Iterator[list[Message]]:
    left, wait_seconds = options.count, options.wait
    while left > 0:
        step = min(left, STEP)
        messages = client.receive_messages(options.queue, step, vt=options.vt, wait_seconds=wait_seconds)
        if messages:
            yield messages
        if len(messages) < step:
            return
        left, wait_seconds = left - step, 0


class Cancel(Verb):
    name = "cancel"
    help = "take back messages that nobody has begun"
    description = """\
Cancel messages by their ids, as peek prints them: each is deleted from its
queue and recorded as cancelled among the processed jobs. What a worker or
another receiver has is left alone. It asks first, with their number."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        parser.add_argument("ids", metavar="ID", nargs="+", type=values.message_id, help="id of a message")
        add_yes(parser)

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        ids = list(dict.fromkeys(options.ids))
        if not options.yes:
            screen.confirm(f"Cancel {counted(len(ids))} of {options.queue}?")
        words = client.cancel_messages(options.queue, ids, reason="cancelled in a terminal")
        count = Counter(words)
        done = count.pop(State.CANCELLED, 0)
        rest = [f"{number} left alone: {LEFT_ALONE[word]}" for word, number in count.items()]
        screen.say("; ".join([f"Cancelled {counted(done)} of {options.queue}", *rest]) + ".")
