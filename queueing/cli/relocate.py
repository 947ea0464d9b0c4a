"""The subcommand ``relocate`` of ``manage.py queues``.

It moves a queue to another partition, which is another namespace and often another Redis.
"""

import time
from argparse import Namespace

from queueing.broker.places import main_queue
from queueing.client import QueueClient
from queueing.client.relocation import Relocation, Step, left_behind

from .base import QUEUE, Verb, arg
from .output import Refused, Screen, counted

#: The pause between two checks of messages that run or are hidden.
PAUSE_SECONDS = 0.5


class Relocate(Verb):
    name = "relocate"
    help = "move what a queue has left on another partition"
    description = """\
Move the messages that QUEUE has left on the partitions where it was before
PLACES named another one, with its dead letters and its queue for low
priorities. First deploy the new PLACES, so that sends go to the new partition.

The queue is paused on the old partition, and the verb waits for messages that
run or are hidden there. Messages keep their ids, bodies, headers, priorities
and due times, and have all their attempts again. Those of chains and batches
stay for a worker with the old PLACES. The verb may be killed and repeated.

--delete deletes the empty queue on the old partition. Use it when no process
has the old PLACES any more."""

    arguments = (QUEUE, arg("--delete", action="store_true", help="delete the empty queue that is left"))

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        if main_queue(options.queue) != options.queue:
            raise Refused(f"Name {main_queue(options.queue)}: what belongs to it is moved with it.")
        moves = left_behind(client, options.queue)
        for move in moves:
            moved, members = _move(move, screen)
            move.end(members=members, delete=options.delete)
            way = f"{move.queue} from {move.source.partition} to {move.target.partition}"
            screen.say(f"Moved {counted(moved)} of {way}.")
            if members:
                screen.say(
                    f"{counted(members)} of chains and batches stay: a worker with the old PLACES runs them."
                )
        if not moves:
            screen.say(f"No other partition has anything of {options.queue}.")


def _move(move: Relocation, screen: Screen) -> tuple[int, int]:
    """Move the messages of a queue, except for members of chains and batches.

    Waits for messages that run or are hidden. Returns the number of moved messages, and the number of members
    that stay.
    """
    for name in move.prepare():
        screen.note(
            f"The {name} of {move.queue} on {move.target.partition} stays as it is: it differs from that on "
            f"{move.source.partition}."
        )
    if move.target.get_queue_policy(move.queue).paused:
        screen.note(
            f"{move.queue} is paused on {move.target.partition}, perhaps by an earlier move from there. "
            f'"manage.py queues resume {move.queue}" lets workers take its messages.'
        )
    moved, waits = 0, False
    screen.so_far = lambda: f"{counted(moved)} moved"
    while True:
        step: Step = move.step()
        moved += step.moved
        if step.moved:
            continue
        if not step.held:
            return moved, step.members
        if not waits:
            screen.note(f"Waiting for {counted(step.held)} of {move.queue}: running or hidden.")
            waits = True
        time.sleep(PAUSE_SECONDS)
