"""Sends batches, finds batches, and redrives their dead members."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from queueing.broker import batches
from queueing.exceptions import BatchClosed, QueueNotFound
from queueing.messages import BatchState, Draft

from . import drafts, follow_ups
from .default import ensuring, note_task_queue
from .queue_client import QueueClient

#: How often the sender of a batch confirms that it is alive (seconds).
ALIVE_SECONDS = 10.0
SILENT = "The batch was closed, because its sender was silent for a minute."


@dataclass
class Plan:
    """A batch that is ready to be sent. Its messages are made, but not sent yet.

    ``total`` is the number of members. ``drafts`` has the messages of the members by queue. ``on_success``
    and ``on_failure`` are the messages of the callbacks as JSON, ``""`` for none. ``record`` is JSON with the
    title, the id of the outer batch and the queues.

    ``queues`` has a pair for each queue that must exist: the queue of the task (``""`` for a message that is
    not a task), and the queue to which the message is sent.
    """

    id: str
    total: int
    record: str = ""
    drafts: dict[str, list[Draft]] = field(default_factory=dict)
    queues: set[tuple[str, str]] = field(default_factory=set)
    on_success: str = ""
    on_failure: str = ""


def send(client: QueueClient, plans: Sequence[Plan]) -> None:
    """Send a batch and its nested batches. In ``plans``, an outer batch precedes its inner batches.

    If this process dies or pauses for a minute before it has sent all members, a worker cancels the batches.
    Raises ``BatchClosed`` after such a pause, ``QueueNotFound``, and the errors of ``send_messages``.
    """
    client = client.at(queues_of(plans))
    ensure_queues(client, set().union(*(plan.queues for plan in plans)))
    _open(client, plans)
    confirm_at = time.monotonic() + ALIVE_SECONDS
    for plan in plans:
        for queue, messages in plan.drafts.items():
            for part in drafts.steps(messages):
                if time.monotonic() >= confirm_at:
                    _open(client, plans)
                    confirm_at = time.monotonic() + ALIVE_SECONDS
                client.send_messages(queue, part)
    for plan in reversed(plans):
        is_sealed, texts = batches.seal_batch(client.session, plan.id, plan.total)
        follow_ups.send_soon(client, texts)
        if not is_sealed:
            raise BatchClosed(SILENT)


def queues_of(plans: Sequence[Plan]) -> set[str]:
    """The queues of batches and of their callbacks."""
    return {queue for plan in plans for _, queue in plan.queues}


def ensure_queues(client: QueueClient, queues: set[tuple[str, str]]) -> None:
    """Create missing queues for tasks, and missing queues that the setting ``QUEUES`` names.

    ``queues`` has pairs as in ``Plan.queues``. Raises ``QueueNotFound`` if any other queue is missing.
    """
    for task_queue, queue in sorted(queues):
        note_task_queue(client, task_queue, queue)
        if not task_queue:
            ensuring(client, partial(client.get_queue_attributes, queue), queue)


def _open(client: QueueClient, plans: Sequence[Plan]) -> None:
    """Open the batches or, while their members are sent, confirm that this process is alive."""
    for plan in plans:
        if not batches.open_batch(client.session, plan.id, plan.record, plan.on_success, plan.on_failure):
            raise BatchClosed(SILENT)


def part_of(client: QueueClient, id: str) -> QueueClient:
    """The client of the partition that has the batch ``id``, or of the last partition if none has it."""
    *others, last = client.parts
    return next((part for part in others if batches.find(part.session, [id])), last)


def newest(client: QueueClient, count: int) -> tuple[int, list[BatchState]]:
    """Return the number of all batches, and up to ``count`` of the newest."""
    found = [batches.newest(part.session, 0, count) for part in client.parts]
    states = sorted((s for _, of_part in found for s in of_part), key=attrgetter("started_ms"), reverse=True)
    return (sum(total for total, _ in found), states[:count]) if client.routing else found[0]


def search(client: QueueClient, text: str, count: int) -> list[BatchState]:
    """Return a list with the batch whose id is ``text``.

    Without such a batch, returns up to ``count`` of the newest batches with ``text`` in their titles.
    """
    found = [state for part in client.parts for state in batches.search(part.session, text, count)]
    return sorted(found, key=attrgetter("started_ms"), reverse=True)[:count] if client.routing else found


def retry(client: QueueClient, id: str) -> int:
    """Redrive the dead members of a batch and of its nested batches. Returns the number of redriven messages.

    Raises ``BatchNotFound``, and ``BatchClosed`` if the batch, or one that contains it, was cancelled.
    """
    client = part_of(client, id)
    batches.state_of(client.session, id)
    if batches.is_recalled(client.session, id):
        raise BatchClosed("The batch was cancelled.")
    moved = 0
    for members in batches.failed_members(client.session, id):
        for inner in batches.find(client.session, members.pop("", [])):
            moved += 0 if inner.is_cancelled else retry(client, inner.id)
        for queue, ids in members.items():
            with suppress(QueueNotFound):
                moved += client.redrive(queue, ids=ids)
    return moved
