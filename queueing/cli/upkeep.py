"""Verbs for many messages at a time: purge, redrive, move, sweep."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from queueing.broker import rsmq_values
from queueing.broker.keys import is_dead_letter_queue
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.messages import Swept

from . import values
from .base import Verb, add_queue, add_yes
from .output import Refused, Screen
from .text import counted

if TYPE_CHECKING:
    from queueing.client import QueueClient


class Purge(Verb):
    name = "purge"
    help = "delete the messages of a queue"
    description = """\
Delete all messages of a queue, delayed and hidden ones included; those that a
worker holds stay, and so does the queue. It asks first, with their number."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        add_yes(parser)

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        if not options.yes and not _may_purge(client, screen, options.queue):
            return
        with screen.tally(f"Purging {options.queue}", "deleted") as tally:
            deleted = client.purge_queue(options.queue, progress=tally)
        screen.say(f"Deleted {counted(deleted)} of {options.queue}.")


def _may_purge(client: "QueueClient", screen: Screen, name: str) -> bool:
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


def _add_which(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--count", type=values.count, metavar="N", help="only the first so many")
    which.add_argument(
        "--id",
        type=values.message_id,
        action="append",
        dest="ids",
        metavar="ID",
        help="only this message; may be repeated",
    )


class Redrive(Verb):
    name = "redrive"
    help = "move dead letters back to their queue"
    description = """\
Move the dead letters of QUEUE back to it, where they have all their attempts
again. Ids, bodies, headers and receive counts stay as they are."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_queue(parser)
        _add_which(parser)

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
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
Move ready messages from SOURCE to TARGET; ids, bodies, headers and receive
counts stay as they are. What is delayed, hidden or running stays where it is.
Both queues must be there."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="SOURCE", type=values.queue_name, help="queue to take from")
        parser.add_argument("target", metavar="TARGET", type=values.queue_name, help="queue to put into")
        _add_which(parser)

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
        source, target = options.source, options.target
        with screen.tally(f"Moving {source} to {target}", "moved") as tally:
            moved = client.move_messages(
                source, target, count=options.count, ids=_ids(options), progress=tally
            )
        screen.say(_moved(moved, options, f"{source} to {target}"))


def _ids(options: Namespace) -> list[str] | None:
    """Each once, in the order in which they are named."""
    return list(dict.fromkeys(options.ids)) if options.ids else None


def _moved(moved: int, options: Namespace, way: str) -> str:
    ids = _ids(options)
    missing = len(ids) - moved if ids else 0
    rest = f"; {missing} of those named {'is' if missing == 1 else 'are'} not ready there" if missing else ""
    return f"Moved {counted(moved)} from {way}{rest}."


class Sweep(Verb):
    name = "sweep"
    help = "tidy up one queue, or all and what lost queues left"
    description = """\
Delete what no message owns any more: ids without a body (phantoms) and fields
without a message (orphans). Drop what has outlived the queue's retention, and
bury what its redrive policy calls worn out. Without QUEUE all are swept, and
what is left of queues that another program deleted goes, too.

Mend what another program has spoilt: keys of another type are kept under the
name KEY:unreadable, a message whose due time is no time becomes ready, and
leases without end are dropped. If the order of the messages of a queue is
lost, all are ready again in the order of their sending.

Workers do the same now and then, but for the two keys of RSMQ itself. It
harms nothing at any time."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "queue", metavar="QUEUE", nargs="?", type=values.queue_name, help="sweep only this one"
        )

    def run(self, client: "QueueClient", screen: Screen, options: Namespace) -> None:
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
        screen.say(f"Deleted {counted(client.sweep_lost_queues(), 'key')} of lost queues.")


def _mend(client: "QueueClient", screen: Screen, names: Sequence[str]) -> int:
    """Set spoilt keys aside and name them; how many there were."""
    mended = client.mend_keys()
    for name in names:
        mended |= client.mend_keys(name) | client.mend_queue(name)
    for key, place in mended.items():
        screen.say(f"{key} held a value of another type, which is kept as {place}.")
    return len(mended)


def _is_name(name: str) -> bool:
    """Another program may have put anything into the index."""
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
