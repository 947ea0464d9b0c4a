"""The subcommands list, show, create, set, pause, resume, delete and sweep of ``manage.py queues``."""

import dataclasses
import logging
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from queueing.broker import rsmq_values
from queueing.broker.outcomes import COUNTED, State
from queueing.client import QueueClient, sweep
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import QueueFigures, QueuePolicy, Swept

from . import base
from .base import QUEUE, YES, Verb, arg, json, one_of
from .output import Refused, Screen, counted, duration, moment, warn

COLUMNS = ("queue", *COUNTED, "latency", "paused")
ATTRIBUTES = ("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")

#: The explanation that ``show`` prints for each figure.
MEANINGS = {
    State.READY: "can be received now",
    State.DELAYED: "due later, or hidden by a receive",
    State.RUNNING: "held by a worker",
    State.DEAD: "in its dead-letter queue",
    "latency": "age of the oldest ready message",
    "paused": "whether deliveries are stopped",
    "vt": "seconds a received message stays hidden",
    "delay": "seconds a new message stays hidden",
    "maxsize": "UTF-16 units of a message, -1: any",
    "totalrecv": "receives ever",
    "totalsent": "messages ever sent",
    "msgs": "messages in the queue",
    "hiddenmsgs": "those not ready",
    "max_receive_count": "receives after which a message is dead",
    "dead_letter_queue": "where it goes then",
    "retention_seconds": "age at which a ready message is deleted",
}


class List(Verb):
    name = "list"
    lists = True
    help = "all queues with their figures"
    description = """\
List all queues by name with the number of ready, delayed, running and dead
messages, the age of the oldest ready message (latency), and whether the queue
is paused. Autoscalers read --json, where the age is latency_seconds."""
    arguments = (
        one_of(
            arg("--long", action="store_true", help="RSMQ's nine attributes, too, in a wide table"),
            json("an array with an object for each queue"),
        ),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
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
Show all about one queue: its figures, RSMQ's nine attributes by RSMQ's names,
its redrive policy and its retention, and whether it is paused."""
    arguments = (QUEUE, json("an object"))

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        show(client, screen, options.queue, as_object=options.json)


def show(client: QueueClient, screen: Screen, name: str, *, as_object: bool) -> None:
    """Print everything about one queue, as JSON or as a table. Raises ``QueueNotFound``."""
    # Read the policy first: it names the dead-letter queue. The figures include the messages in that queue.
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
    """The figures of one queue as a flat dict for JSON.

    The names of durations end with the unit, except for RSMQ's attributes, which keep their names.
    """
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


def _attributes(vt: str = "", delay: str = "", maxsize: str = "") -> tuple[base.Argument, ...]:
    return (
        arg(
            "--vt", type=base.seconds, metavar="SECONDS", help=f"how long a received message stays hidden{vt}"
        ),
        arg(
            "--delay",
            type=base.seconds,
            metavar="SECONDS",
            help=f"how long a new message cannot be received{delay}",
        ),
        arg(
            "--maxsize",
            type=base.maxsize,
            metavar="UNITS",
            help=f"longest message in UTF-16 units, 1024 to 65536, or -1 for any{maxsize}",
        ),
    )


class Create(Verb):
    name = "create"
    help = "create a queue"
    description = """\
Create a queue, as RSMQ's createQueue does. Every RSMQ program can use it.
Policies are set afterwards with the verb set."""
    arguments = (QUEUE, *_attributes(" (30)", " (0)", " (65536)"))

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        client.create_queue(options.queue, vt=options.vt, delay=options.delay, maxsize=options.maxsize)
        screen.say(f"Created {options.queue}.")


class Set(Verb):
    name = "set"
    help = "change attributes and policies of a queue"
    description = """\
Change the given attributes and policies only, then show the queue.

With a redrive policy, a message that was received --max-receive-count times
and is due again goes to the dead-letter queue. Receives of all programs count.
The next receive or sweep moves the message. With a retention, the next sweep
deletes messages that have been ready for longer. Delayed, running and retried
messages stay."""
    arguments = (
        QUEUE,
        *_attributes(),
        arg(
            "--max-receive-count",
            type=base.receive_count,
            metavar="N",
            help="receives after which a message is dead, 1 to 1000",
        ),
        arg(
            "--dead-letter-queue",
            type=base.queue_name,
            metavar="NAME",
            help="queue for dead letters (QUEUE-dead), created with the first one",
        ),
        arg("--no-redrive", action="store_true", help="remove the redrive policy"),
        one_of(
            arg(
                "--retention",
                type=base.retention,
                metavar="SECONDS",
                help="delete messages that have been ready for longer",
            ),
            arg("--no-retention", action="store_true", help="drop nothing"),
        ),
        json("the queue as an object"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        attributes = {name: getattr(options, name) for name in ("vt", "delay", "maxsize")}
        changes_attributes = any(value is not None for value in attributes.values())
        changes_redrive = options.max_receive_count or options.dead_letter_queue or options.no_redrive
        changes_retention = options.retention or options.no_retention
        if not (changes_attributes or changes_redrive or changes_retention):
            raise Refused("Say what to set: --vt, --delay, --maxsize, --max-receive-count or --retention.")
        # The change that Redis may refuse comes first, so that no command is half done.
        if changes_redrive:
            _set_redrive(client, options)
        if changes_retention:
            client.set_retention(options.queue, options.retention)
        if changes_attributes:
            client.set_queue_attributes(options.queue, **attributes)
        show(client, screen, options.queue, as_object=options.json)


def _set_redrive(client: QueueClient, options: Namespace) -> None:
    if options.no_redrive:
        if options.max_receive_count or options.dead_letter_queue:
            raise Refused("--no-redrive removes the policy: leave out its other options.")
        client.delete_redrive_policy(options.queue)
        return
    policy = client.get_queue_policy(options.queue)
    count = options.max_receive_count or policy.max_receive_count
    if not count:
        raise Refused("A dead-letter queue needs a redrive policy: add --max-receive-count.")
    dead = options.dead_letter_queue or policy.dead_letter_queue or None
    client.set_redrive_policy(options.queue, count, dead)


class Pause(Verb):
    name = "pause"
    help = "stop the deliveries of a queue"
    description = """\
Stop deliveries: workers and receivers of this package get no messages until
the queue is resumed. Sends continue, and running messages finish. Programs
that use RSMQ itself ignore the pause and continue to receive."""

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        client.pause_queue(options.queue)
        screen.say(f"Paused {options.queue}: it takes messages and gives none out.")


class Resume(Verb):
    name = "resume"
    help = "resume the deliveries of a paused queue"
    description = "Resume deliveries. Waiting workers and receivers get messages immediately."

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        client.resume_queue(options.queue)
        screen.say(f"Resumed {options.queue}.")


class Delete(Verb):
    name = "delete"
    help = "delete a queue with all its messages"
    description = """\
Delete a queue with all its messages, including running ones. Its dead-letter
queue is another queue and stays. The command asks first."""
    arguments = (QUEUE, YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        figures = client.figures_of_queue(options.queue)
        if figures is None:
            raise QueueNotFound
        messages = counted(figures.attributes.msgs)
        if not options.yes:
            running = f", {figures.running} of them running" if figures.running else ""
            screen.confirm(f"Delete the queue {options.queue} with its {messages}{running}?")
        client.delete_queue(options.queue)
        screen.say(f"Deleted {options.queue} with its {messages}.")


class Sweep(Verb):
    name = "sweep"
    lists = True
    help = "tidy up and repair one queue, or all queues"
    description = """\
Delete data without a message: ids without a body (phantoms) and fields without
a message (orphans). Delete messages beyond the queue's retention, and move
messages that are worn out by its redrive policy to the dead letters. Without
QUEUE all queues are swept, and keys of queues that another program has deleted
are deleted, too.

Repair damage of other programs: keys of a wrong type are renamed to
KEY:unreadable, a message whose due time is not a time becomes ready, and
endless leases are dropped. If the order of a queue's messages is lost, all are
ready again in the order of their sending.

Workers do the same regularly, except for the two keys of RSMQ itself. A sweep
is safe at any time."""
    arguments = (arg("queue", metavar="QUEUE", nargs="?", type=base.queue_name, help="sweep only this one"),)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        if options.queue:
            _mend(client, screen, [options.queue])
            client.get_queue_attributes(options.queue)
            screen.say(f"Swept {options.queue}: {_found(client.sweep_queue(options.queue))}.")
            return
        names = sorted(filter(_is_name, client.list_queues()))
        swept = Swept(mended=_mend(client, screen, names))
        with screen.tally("Sweeping", "swept", "queue") as tally:
            for number, name in enumerate(names, 1):
                try:
                    swept += client.sweep_queue(name)
                except QueueUnavailable:
                    raise
                except QueueError as error:
                    screen.say(f"{name} could not be swept: {error}.")
                tally(number, len(names))
        screen.say(f"Swept {counted(len(names), 'queue')}: {_found(swept)}.")
        deleted = sum(sweep.sweep_lost_queues(part.session) for part in client.parts)
        screen.say(f"Deleted {counted(deleted, 'key')} of lost queues.")


def _mend(client: QueueClient, screen: Screen, names: Sequence[str]) -> int:
    """Rename Redis keys of a wrong type, and print them. Returns the number of renamed keys."""
    # The client logs each key that it renames, and the lines below print it. In a project without LOGGING,
    # Python would print the log, too. The ``NullHandler`` prevents this.
    logger, silent = logging.getLogger("queueing"), logging.NullHandler()
    logger.addHandler(silent)
    try:
        mended: dict[str, str] = {}
        for part, of_part in client.split(names):
            mended |= sweep.mend_keys(part.session)
            for name in of_part:
                mended |= sweep.mend_keys(part.session, name) | sweep.mend_queue(part.session, name)
    finally:
        logger.removeHandler(silent)
    for key, place in mended.items():
        screen.say(f"{key} held a value of another type, which is kept as {place}.")
    return len(mended)


def _is_name(name: str) -> bool:
    """Whether RSMQ allows ``name`` as a queue name. Other programs can store any names in Redis."""
    try:
        rsmq_values.qname(name)
    except QueueError:
        return False
    return True


def _found(swept: Swept) -> str:
    mended = f", {swept.mended} mended" if swept.mended else ""
    return (
        f"{counted(swept.phantoms, 'phantom')}, {counted(swept.orphans, 'orphan')}, "
        f"{swept.expired} expired, {swept.buried} buried{mended}"
    )
