"""The subcommands batches, retry-batch and cancel-batch of ``manage.py queues``."""

import dataclasses
from argparse import Namespace
from typing import Any

from queueing.broker import batches
from queueing.client import QueueClient, sent_batches
from queueing.messages import BatchState

from .base import YES, Verb, arg, count, json, message_id
from .output import Screen, moment

COLUMNS = ("batch", "of", "state", "members", "waiting", "done", "failed", "cancelled", "started", "ended")
ID = arg("id", metavar="ID", type=message_id, help="id of the batch")


class Batches(Verb):
    name = "batches"
    lists = True
    help = "the newest batches with the counts of their members"
    description = """\
List the newest batches: the code of the first member, the state, and how many
members there are, wait, are done, have failed and were cancelled. Times are in
UTC. A batch is forgotten a week after its end."""
    arguments = (
        arg("--count", metavar="N", type=count, default=20, help="how many batches to list (default: 20)"),
        json("an array with an object for each batch"),
    )

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        total, states = sent_batches.newest(client, min(options.count, 1000))
        if options.json:
            screen.json([_as_json(state) for state in states])
        elif not states:
            screen.say("There is no batch: batch(…).enqueue() sends one.")
        else:
            screen.table([COLUMNS, *map(_words, states)], right=False)
            if total > len(states):
                screen.say(f"{total - len(states)} older batches are not listed.")


class RetryBatch(Verb):
    name = "retry-batch"
    help = "run the dead members of a batch again"
    description = """\
Move the dead members of a batch, and of the batches in it, from the dead
letters back to their queues. The number of messages is printed."""
    arguments = (ID,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        moved = sent_batches.retry(client, options.id)
        screen.say(f"{moved} {'message runs' if moved == 1 else 'messages run'} again.")


class CancelBatch(Verb):
    name = "cancel-batch"
    help = "cancel a batch: members that wait do not run"
    description = """\
Cancel a batch and the batches in it. Members that wait do not run any more,
and members that run are asked to stop. on_failure follows the last one. A
cancelled batch cannot be retried. The command asks first."""
    arguments = (ID, YES)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        session = sent_batches.part_of(client, options.id).session
        if not options.yes:
            waiting = batches.state_of(session, options.id).waiting
            screen.confirm(f"Cancel the batch {options.id}? Members that wait or run: {waiting}.")
        batches.cancel(session, options.id)
        screen.say(f"Cancelled the batch {options.id}.")


def _words(state: BatchState) -> tuple[str, ...]:
    is_known = state.total is not None and state.total >= 0
    return (
        state.id,
        state.title or "-",
        state.state,
        str(state.total) if is_known else "-",
        str(state.waiting) if is_known else "-",
        *(str(number) for number in (state.done, state.failed, state.cancelled)),
        moment(state.started_ms // 1000) if state.started_ms else "-",
        moment(state.ended_ms // 1000) if state.ended_ms else "-",
    )


def _as_json(state: BatchState) -> dict[str, Any]:
    return {**dataclasses.asdict(state), "waiting": state.waiting, "state": state.state}
