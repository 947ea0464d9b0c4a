"""Moves the messages of a queue from its old partition after ``PLACES`` has named a new partition for it.

A message is sent to the new partition and then deleted on the old one. If the process is killed between the
two calls, the next move sends the message again, which has no effect: the token of the send is derived from
the message id. The queue is paused on the old partition, so that no worker takes a message between its send
and its deletion.
"""

import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from queueing.broker import batches, decode, replies, task_queues
from queueing.broker.outcomes import State
from queueing.broker.places import main_queue
from queueing.broker.scripts import Call
from queueing.broker.session import checked
from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueExists
from queueing.messages import Draft, QueuePolicy

from . import drafts
from .default import note_task_queue
from .queue_client import QueueClient

#: The most messages that one call reads.
STEP = 200
#: The most queues of a partition whose messages ``remainders`` counts.
MOST_COUNTED = 100
#: How long the new partition remembers a send: before and after the message is deleted on the old one.
REMEMBERED_MS, FORGOTTEN_MS = 7 * 86_400_000, 600_000
PRIORITY = re.compile(rb"p(\d+) ")
#: The TTL of the key with which ``_refuse`` finds out whether two partitions are the same.
MARK_MS = 5000
#: Headers of messages in a batch or chain. They stay, because their end is handled on the old partition.
MEMBERS = (batches.BATCH, batches.CHAIN)


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step: the number of moved messages, and the numbers of messages that stay.

    ``held`` messages stay because they run or are hidden. ``members`` stay because they belong to a batch or
    chain.
    """

    moved: int
    held: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moving(Draft):
    """A message of the old partition. ``rc`` is how often it was received there."""

    rc: int = 0


class Relocation:
    """The move of one queue. ``source`` and ``target`` are the clients of its old and its new partition."""

    def __init__(self, source: QueueClient, target: QueueClient, queue: str) -> None:
        self.source, self.target, self.queue = source, target, queue
        self._stays = 0

    def prepare(self) -> list[str]:
        """Pause the queue on the old partition, and create it with the same settings on the new one.

        If the new partition already has the queue, its redrive policy and its retention are copied if they
        are missing there. They are copied only once: a policy that is deleted there later stays deleted.
        Returns the names of the policies that have other values there, such as ``["retention"]``. These stay
        as they are.

        Raises ``QueueNotFound`` if the old partition does not have the queue, and ``QueueError`` if the queue
        cannot be moved (see ``_refuse``).
        """
        source, target, queue = self.source, self.target, self.queue
        policy, attributes = source.get_queue_policy(queue), source.get_queue_attributes(queue)
        self._refuse(policy.dead_letter_queue)
        source.pause_queue(queue)
        with suppress(QueueExists):  # Senders have made it, or an earlier move.
            target.create_queue(queue, vt=attributes.vt, delay=attributes.delay, maxsize=attributes.maxsize)
        kept = self._copy(policy)
        if main_queue(queue) in task_queues.known(source.session):
            note_task_queue(target, main_queue(queue), queue)
        return kept

    def _copy(self, policy: QueuePolicy) -> list[str]:
        """Copy the redrive policy and the retention to the new partition, once, if they are missing there.

        Returns the names of the policies that have other values there.
        """
        target, queue = self.target, self.queue
        values = policy.max_receive_count, policy.dead_letter_queue, policy.retention_seconds
        keys = target.session.queue_keys(queue)
        checked(target.session.call(Call("inherit_policy", keys, *[value or "" for value in values])))
        there, kept = target.get_queue_policy(queue), []
        if policy.max_receive_count and _redrive(there) != _redrive(policy):
            kept.append("redrive policy")
        if policy.retention_seconds and there.retention_seconds != policy.retention_seconds:
            kept.append("retention")
        return kept

    def _refuse(self, dead_letter_queue: str) -> None:
        """Raise ``QueueError`` if the queue cannot be moved, for one of two reasons.

        Both partitions are the same namespace on the same Redis, or ``PLACES`` does not put
        ``dead_letter_queue`` on the new partition.
        """
        source, target = self.source, self.target
        token = secrets.token_hex(8)
        marks = [
            part.session.call(Call("lead", [part.keys.sender(token)], part.partition, MARK_MS))
            for part in (source, target)
        ]
        if not all(marks):
            raise QueueError(
                f"The partitions {source.partition} and {target.partition} have the same namespace on the "
                "same Redis, so nothing was moved: change PARTITIONS"
            )
        place = get_conf().place_of(dead_letter_queue or self.queue)
        if place != target.partition:
            raise QueueError(
                f"The dead letters of {self.queue} go to {dead_letter_queue}, which is on the partition "
                f"{place}: change PLACES, or the redrive policy of {self.queue} on {source.partition}"
            )

    def step(self) -> Step:
        """Move up to ``STEP`` messages. Raises an error if the new partition accepts none of them.

        If the result has ``moved=0``, nothing is left to move now, and ``held`` and ``members`` count all
        messages that stay. In other results they count only the messages that this step has read.
        """
        # Reading begins behind the messages that stayed in the previous step.
        moving: list[_Moving] = []
        skipped = held = members = 0
        begin = self._stays
        while not moving and (found := list(self._read(begin + skipped))):
            for draft, state in found:
                if any(name in draft.headers for name in MEMBERS):
                    members += 1
                elif state == State.RUNNING or (state == State.DELAYED and draft.rc):
                    held += 1
                else:
                    moving.append(draft)
            skipped += STEP
        if not moving and begin:
            self._stays = 0
            return self.step()
        sent = [draft.id or "" for draft in self._send(moving)]
        self.source.delete_messages(self.queue, sent)
        if sent:
            keys = [self.target.keys.sender(_token(id)) for id in sent]
            self.target.session.call(Call("forget_senders", keys, FORGOTTEN_MS, *[1] * len(keys)))
        self._stays = begin + held + members if sent else 0
        return Step(len(sent), held, members)

    def end(self, *, members: int, delete: bool) -> None:
        """End the move. ``members`` is the number of messages of chains and batches that stay.

        If it is not 0, the queue is resumed on the old partition, so that these messages run there. If it is
        0 and ``delete`` is true, the queue is deleted on the old partition, unless it has other messages.
        """
        if members:
            self.source.resume_queue(self.queue)
        elif delete and not self.source.get_queue_attributes(self.queue).msgs:
            self.source.delete_queue(self.queue)

    def _read(self, skipped: int = 0) -> Iterator[tuple[_Moving, str]]:
        keys = [*self.source._lane_keys(self.queue), self.source.keys.line(self.queue)]
        call = Call("peek", keys, STEP, "first", "", "", skipped)
        for id, body, rc, due_ms, state, _, headers, _ in checked(self.source.session.call(call)):
            priority = PRIORITY.match(headers)
            draft = _Moving(
                body=decode.text(body),
                due_ms=decode.integer(due_ms),
                headers=replies.headers_or_empty(headers),
                priority=int(priority[1]) if priority else 0,
                id=decode.text(id),
                rc=decode.integer(rc),
            )
            yield draft, state.decode()

    def _send(self, moving: list[_Moving]) -> list[_Moving]:
        """Send messages to the new partition. Returns the messages that it has accepted.

        Raises the last error if the new partition has accepted none.
        """
        calls = [self._call(draft) for draft in moving]
        # Without the replicas, a failover of the new partition could lose messages that the old one deletes.
        answers = self.target.session.call_each(calls, replicas=self.target.durable) if calls else []
        sent, refusal = [], None
        for draft, reply in zip(moving, answers, strict=True):
            try:
                if isinstance(reply, QueueError):
                    raise reply
                checked(reply)
                sent.append(draft)
            except QueueError as error:
                refusal = error
        if refusal and not sent:
            raise refusal
        return sent

    def _call(self, draft: _Moving) -> Call:
        id = draft.id or ""
        call = drafts.put(
            "send", self.target.keys, self.queue, [draft],
            tails=[id], key=self.target.keys.sender(_token(id)), own=(1, REMEMBERED_MS),
            replaces=False,  # A message with the same unique key on the new partition is newer.
        )  # fmt: skip
        if draft.rc:
            # The history identifies the runs of a message by its receive count.
            call.keys = [*call.keys, self.target.keys.ends(self.queue)]
            call.args = (*call.args, 1, "received", f"{len(call.keys) - 8} {draft.rc}")
        return call


def _redrive(policy: QueuePolicy) -> tuple[int, str]:
    return policy.max_receive_count, policy.dead_letter_queue


def _token(id: str) -> str:
    return f"moved-{id}"


@dataclass(frozen=True, slots=True)
class Remainder:
    """Messages on a wrong partition: ``count`` messages of ``queue`` and its siblings.

    They are on ``partition``, but ``PLACES`` names ``place`` for them. Siblings are the low-priority queue
    and the dead-letter queues.
    """

    queue: str
    partition: str
    place: str
    count: int


def remainders(client: QueueClient) -> list[Remainder]:
    """Count the messages of queues that are on another partition than the one that ``PLACES`` names.

    All queues of each partition are checked, but messages are counted for at most ``MOST_COUNTED`` misplaced
    queues of a partition. Raises ``QueueUnavailable``.
    """
    if not client.routing:
        return []
    counts, place_of = Counter[tuple[str, str, str]](), client.routing.place
    for part in client.parts:
        strays = sorted(name for name in part.list_queues() if place_of(name) != part.partition)
        for queue in part.queue_figures(strays[:MOST_COUNTED]) if strays else ():
            counts[main_queue(queue.name), part.partition, place_of(queue.name)] += queue.attributes.msgs
    return [Remainder(*place, count) for place, count in sorted(counts.items()) if count]


def left_behind(client: QueueClient, queue: str) -> list[Relocation]:
    """Return the moves that bring a queue and its siblings to the partition that ``PLACES`` names.

    Siblings are the main queue, its low-priority queue and their dead-letter queues. There is one move for
    each of these queues on each wrong partition.
    """
    if not client.routing:
        return []
    target = client.at([queue])
    return [
        Relocation(part, target, name)
        for part in client.parts
        if part is not target
        for name in sorted(part.list_queues())
        if main_queue(name) == main_queue(queue)
    ]
