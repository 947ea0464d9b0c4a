"""The subcommands send, receive, peek, cancel, stop, purge, redrive and move of ``manage.py queues``."""

import dataclasses
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator

from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import State
from queueing.client import QueueClient, default
from queueing.exceptions import QueueNotFound
from queueing.messages import Message
from queueing.policies import unique

from . import base
from .base import QUEUE, YES, Verb, arg, json, one_of
from .output import Refused, Screen, counted

#: The number of messages that one step receives, prints or deletes.
STEP = 100
#: The reasons why a message was not cancelled.
LEFT_ALONE = {
    "running": "a worker holds it",
    "hidden": "another receiver has it",
    "gone": "it is not in its queue",
}
IDS = arg("ids", metavar="ID", nargs="+", type=base.message_id, help="id of a message")


class Send(Verb):
    name = "send"
    help = "send a message and print its id"
    description = """\
Send one message and print its id. With - as MESSAGE the body is read from
stdin unchanged, including its last line break:

  printf '{"to": 7}' | manage.py queues send emails -

Write -- before a MESSAGE that begins with a hyphen. A missing queue that the
setting QUEUES names is created first."""
    arguments = (
        QUEUE,
        arg("message", metavar="MESSAGE", help="the body, or - for stdin"),
        one_of(
            arg(
                "--delay",
                type=base.seconds,
                metavar="SECONDS",
                help="when it can be received (the queue's delay)",
            ),
            arg("--delay-ms", type=base.milliseconds, metavar="MS", help="the same in milliseconds"),
        ),
        arg(
            "--header",
            type=base.header,
            action="append",
            default=[],
            dest="headers",
            metavar="NAME=VALUE",
            help="a header, which only receivers of this package see; may be repeated",
        ),
        arg(
            "--deduplication-id",
            type=base.deduplication_id,
            metavar="ID",
            help="if one with this id was sent in the last 5 minutes, print its id and send nothing",
        ),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        headers = dict(options.headers)
        if len(headers) < len(options.headers):
            raise Refused("Two headers have the same name: give each its own name.")
        how = {
            "delay": options.delay,
            "delay_ms": options.delay_ms,
            "headers": headers or None,
            "deduplication_id": options.deduplication_id,
        }
        body = screen.read_all() if options.message == "-" else options.message
        screen.say(default.send(client, options.queue, body, **how))


class Receive(Verb):
    name = "receive"
    help = "receive messages and print them as JSON lines"
    description = """\
Receive due messages and print each as a line of JSON: id, body, rc (number of
receives including this one), fr (first receive in ms), sent (ms) and headers.

A received message is hidden for the vt and is then due again. With --delete
it is deleted as soon as it is printed. If it is due again before that, it
stays in the queue and will be received again."""
    arguments = (
        QUEUE,
        arg("--count", type=base.count, default=1, metavar="N", help="the most messages to receive (1)"),
        arg("--vt", type=base.seconds, metavar="SECONDS", help="how long they stay hidden (the queue's vt)"),
        arg(
            "--wait",
            type=base.wait,
            default=0,
            metavar="SECONDS",
            help="how long to wait for the first one, up to 3600 (0)",
        ),
        arg("--delete", action="store_true", help="delete what is printed"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        printed = deleted = 0

        def so_far() -> str:
            gone = f", {deleted} deleted" if options.delete else ""
            return f"{counted(printed)} received{gone}" if printed else ""

        screen.so_far = so_far
        for messages in _received(client, options):
            for message in messages:
                screen.json(dataclasses.asdict(message), indent=None)
            # A message must not be deleted before its output has reached the reader.
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


def _received(client: QueueClient, options: Namespace) -> Iterator[list[Message]]:
    left, wait_seconds = options.count, options.wait
    while left > 0:
        step = min(left, STEP)
        messages = client.receive_messages(options.queue, step, vt=options.vt, wait_seconds=wait_seconds)
        if messages:
            yield messages
        if len(messages) < step:
            return
        left, wait_seconds = left - step, 0


class Peek(Verb):
    name = "peek"
    help = "show messages without receiving them"
    description = """\
Show messages in the order of their delivery with id, state, receive count (rc)
and the beginning of the body, without receiving them: none is hidden or
counted. A unique message also has its key. Unprintable characters are escaped,
as in \\n. With --json bodies are whole."""
    arguments = (
        QUEUE,
        arg(
            "--count",
            type=base.peeked,
            default=10,
            metavar="N",
            help="the most messages to show, up to 1000 (10)",
        ),
        arg("--newest", action="store_true", help="show the end of the queue"),
        json("an array with an object for each message"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        messages = client.peek_messages(options.queue, count=options.count, newest=options.newest)
        if options.json:
            screen.json([dataclasses.asdict(message) for message in messages])
            return
        if not messages:
            screen.note(f"{options.queue} has no messages.")
        for message in messages:
            waits = "waits for a limit  " if message.waits_for_limit else ""
            key = unique.shown_key(message.headers)
            body = f"(unique: {key})  {message.body}" if key else message.body
            screen.row(f"{message.id}  {message.state:8}  rc {message.rc}  {waits}", body)


class Cancel(Verb):
    name = "cancel"
    help = "delete messages that have not started"
    description = """\
Cancel messages by their ids, as peek prints them. Each is deleted from its
queue and recorded as cancelled in the history. Messages that a worker or
another receiver has are left alone. The command asks first."""
    arguments = (QUEUE, IDS, YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        ids = list(dict.fromkeys(options.ids))
        if not options.yes:
            screen.confirm(f"Cancel {counted(len(ids))} of {options.queue}?")
        words = client.cancel_messages(options.queue, ids, reason="cancelled in a terminal")
        count = Counter(words)
        done = count.pop(State.CANCELLED, 0)
        rest = [f"{number} left alone: {LEFT_ALONE[word]}" for word, number in count.items()]
        screen.say("; ".join([f"Cancelled {counted(done)} of {options.queue}", *rest]) + ".")


class Stop(Verb):
    name = "stop"
    help = "stop messages that run, or cancel them"
    description = """\
Ask the workers of messages to stop them, by their ids. An async function is
cancelled, and another one sees context.is_cancelled, within a quarter of the
lease. With --force its process is also ended; its other jobs may finish within
the grace time, or run again. Waiting messages are cancelled."""
    arguments = (QUEUE, IDS, arg("--force", action="store_true", help="also end the process"), YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        ids = list(dict.fromkeys(options.ids))
        if not options.yes:
            screen.confirm(f"Stop {counted(len(ids))} of {options.queue}?")
        words = client.stop_messages(options.queue, ids, reason="stopped in a terminal", force=options.force)
        count = Counter(words)
        asked, done = count.pop(State.RUNNING, 0), count.pop(State.CANCELLED, 0)
        rest = [f"cancelled {counted(done)}"] if done else []
        rest += [f"{number} left alone: {LEFT_ALONE[word]}" for word, number in count.items()]
        screen.say("; ".join([f"Asked to stop {counted(asked)} of {options.queue}", *rest]) + ".")


class Purge(Verb):
    name = "purge"
    help = "delete the messages of a queue"
    description = """\
Delete all messages of a queue, including delayed and hidden ones. Messages
that a worker holds stay, and so does the queue. The command asks first."""
    arguments = (QUEUE, YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        if not options.yes and not _may_purge(client, screen, options.queue):
            return
        with screen.tally(f"Purging {options.queue}", "deleted") as tally:
            deleted = client.purge_queue(options.queue, progress=tally)
        screen.say(f"Deleted {counted(deleted)} of {options.queue}.")


def _may_purge(client: QueueClient, screen: Screen, name: str) -> bool:
    for figures in client.queue_figures([name]):
        running = figures.running
        count = max(0, figures.attributes.msgs - running)
        if not count:
            screen.say(f"{name} has no messages to delete.")
            return False
        stay = f" ({running} more {'is' if running == 1 else 'are'} running and kept)" if running else ""
        screen.confirm(f"Delete {counted(count)} of {name}{stay}?")
        return True
    raise QueueNotFound


WHICH = one_of(
    arg("--count", type=base.count, metavar="N", help="only the first N messages"),
    arg(
        "--id",
        type=base.message_id,
        action="append",
        dest="ids",
        metavar="ID",
        help="only this message; may be repeated",
    ),
)


class Redrive(Verb):
    name = "redrive"
    help = "move dead letters back to their queue"
    description = """\
Move the dead letters of QUEUE back to it. They have all their attempts again,
and keep their ids, bodies, headers and receive counts."""
    arguments = (QUEUE, WHICH)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        name = options.queue
        if is_dead_letter_queue(name):
            alive = name.removesuffix("-dead")
            raise Refused(f'{name} holds the dead letters themselves: "manage.py queues redrive {alive}".')
        with screen.tally(f"Redriving {name}", "moved") as tally:
            moved = client.redrive(name, count=options.count, ids=_ids(options), progress=tally)
        screen.say(_moved(moved, options, f"{client.dead_letter_queue(name)} back to {name}"))


class Move(Verb):
    name = "move"
    help = "move ready messages to another queue"
    description = """\
Move ready messages from SOURCE to TARGET. They keep their ids, bodies, headers
and receive counts. Delayed, hidden and running messages stay in SOURCE. Both
queues must exist."""
    arguments = (
        arg("source", metavar="SOURCE", type=base.queue_name, help="queue to move from"),
        arg("target", metavar="TARGET", type=base.queue_name, help="queue to move to"),
        WHICH,
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        source, target = options.source, options.target
        with screen.tally(f"Moving {source} to {target}", "moved") as tally:
            moved = client.move_messages(
                source, target, count=options.count, ids=_ids(options), progress=tally
            )
        screen.say(_moved(moved, options, f"{source} to {target}"))


def _ids(options: Namespace) -> list[str] | None:
    """The ids from the command line in their order, without duplicates. ``None`` if no id is given."""
    return list(dict.fromkeys(options.ids)) if options.ids else None


def _moved(moved: int, options: Namespace, way: str) -> str:
    ids = _ids(options)
    missing = len(ids) - moved if ids else 0
    rest = f"; {missing} of those named {'is' if missing == 1 else 'are'} not ready there" if missing else ""
    return f"Moved {counted(moved)} from {way}{rest}."
