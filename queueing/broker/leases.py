"""The worker's side of the wire: claim, settle, extend and abandon what a child holds of a queue.

Every call of a lane has a number, and a call repeated with its number returns what the first one
did: so a lost reply orphans nothing and runs nothing twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from queueing.client import QueueClient
from queueing.client.base import DEAD_RETENTION_SECONDS
from queueing.client.receives import headers_in, message_of
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueNotFound
from queueing.messages import Message

from . import decode, rsmq_values
from .outcomes import Outcome, State, pack, task_numbers
from .scripts import Call
from .timings import tally

#: Bytes of bodies at which a claim stops.
CLAIM_BYTES = 1_000_000
#: The ends of a message of which no delivery has ended with a word.
FRESH = b"0 0 0"
#: The reply of a script whose keys were those of another dead-letter queue.
MOVED = b"deadLetterQueue"
#: The number of a settle after which a lane makes no other.
LAST_SETTLE = 10**12


@dataclass(slots=True)
class Delivery:
    """A claimed message and how its earlier deliveries ended, not to be changed.

    ``due_ms`` is the moment from which a first delivery has waited, 0 where it is none. ``fault`` says
    why the message cannot be run as it was sent, empty if it can.
    """

    queue: str
    message: Message
    failed: int
    crashed: int
    released: int
    due_ms: float = 0.0
    fault: str = ""

    @property
    def runs_alone(self) -> bool:
        """Whether it has killed so many processes that nothing else may run beside it."""
        return self.crashed > 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The reply of a claim. ``next_due_ms`` is 0 where nothing is due later, ``now_ms`` where more is now."""

    now_ms: int
    next_due_ms: int
    wants_idle_child: bool
    deliveries: list[Delivery]

    @property
    def next_due_seconds(self) -> float | None:
        """In how many seconds the next message comes due, ``None``: there is none."""
        return (self.next_due_ms - self.now_ms) / 1000 if self.next_due_ms else None

    @property
    def has_more(self) -> bool:
        """Whether more is due than the claim took."""
        return 0 < self.next_due_ms <= self.now_ms


def lane_name(child: str, queue: str) -> str:
    """The field of ``held`` for what ``child`` holds of ``queue``."""
    return f"{child} {queue}"


class Lane:
    """One child on one queue: it makes the calls and reads the replies, the consumer sends them.

    A call is made of its number and what it says, and may be made again: its keys change when the
    dead letters of the queue begin to go elsewhere.
    """

    def __init__(self, client: QueueClient, conf: Config, child: str, queue: str) -> None:
        self.client, self.conf, self.queue = client, conf, queue
        self.child, self.name = child, lane_name(child, queue)
        self._claims = self._settles = 0

    def claim(self, count: int, *, suspects: str) -> "LaneCall":
        """Claim up to ``count`` messages. The call may be repeated as it is.

        ``suspects`` are messages that have crashed twice and must run alone: ``take`` one if the child
        is idle, else ``await`` that, or ``pass`` them over.
        """
        self._claims += 1
        args = [self.name, self._claims, count, CLAIM_BYTES, int(self.conf.LEASE * 1000)]
        args += [suspects, self.conf.MAX_CRASHES]
        return LaneCall(self, "claim", args)

    def settle(self, outcomes: Sequence[Outcome]) -> "LaneCall":
        """Settle deliveries of this lane. The call may be repeated as it is."""
        self._settles += 1
        return self._settle(self._settles, outcomes)

    def settle_last(self, outcomes: Sequence[Outcome]) -> "LaneCall":
        """Settle for a child that is dead, whose own settles are over. The call may be repeated."""
        return self._settle(LAST_SETTLE, outcomes)

    def _settle(self, number: int, outcomes: Sequence[Outcome]) -> "LaneCall":
        args = [self.name, number, pack(outcomes, with_bodies=self.conf.STORE_BODIES)]
        args += [tally(outcomes), task_numbers(outcomes)]
        for (rc, event, delay_ms), alike in groupby(outcomes, _SETTLED):
            ids = [rsmq_values.encode(outcome.id) for outcome in alike]
            args += [rc, event, delay_ms, len(ids), *ids]
        return LaneCall(self, "settle", args)

    def read_claim(self, reply: list) -> Batch:
        """The batch in a claim's reply. Raises ``QueueNotFound``."""
        if reply[0] != b"ok":
            raise QueueNotFound
        deliveries = [_delivery(self.queue, *reply[start : start + 6]) for start in range(4, len(reply), 6)]
        return Batch(int(reply[1]), decode.integer(reply[2]), reply[3] == b"1", deliveries)

    @staticmethod
    def read_settle(reply: list) -> dict[str, State]:
        """The outcomes that a settle refused: id -> ``LEASE_LOST`` or ``GONE``."""
        texts = [decode.text(text) for text in reply[1]]
        return dict(zip(texts[::2], map(State, texts[1::2]), strict=True))

    @staticmethod
    def read_fullness(reply: list) -> float:
        """How full the outbox is after a settle, 0.0 to 1.0; 0.0 where no recorder empties it."""
        return reply[2] / 1000


#: What a settle says of outcomes beside their ids. Most of a batch have it in common.
_SETTLED = attrgetter("rc", "event", "delay_ms")


@dataclass(frozen=True, slots=True)
class LaneCall:
    """A call of a lane, before it is known where the dead letters of its queue go."""

    lane: Lane
    script: str
    args: list


def run_all(client: QueueClient, calls: Sequence[LaneCall]) -> list[Any]:
    """Run calls in one round trip; those whose dead letters go elsewhere once more with these keys.

    The reply of a call that Redis refused is its ``QueueError``: its queue has a fault of its own.
    """
    made = [_room_call(client, call.lane.conf, call.script, call.lane.queue, call.args) for call in calls]
    replies = client.scripts.try_all(made)
    for index, reply in enumerate(replies):
        if not isinstance(reply, QueueError) and reply[0] == MOVED:
            call = calls[index]
            replies[index] = _run_room(client, call.lane.conf, call.script, call.lane.queue, call.args)
    return replies


@dataclass(frozen=True, slots=True)
class Look:
    """What a claim of a queue would find now. ``next_due_seconds`` is ``None`` where nothing comes due."""

    queue: str
    is_due: bool
    is_missing: bool
    next_due_seconds: float | None


def look(client: QueueClient, queues: Sequence[str]) -> list[Look]:
    """Look into queues, all in one call, without claiming. Raises ``QueueUnavailable``."""
    keys = [client.keys.never(), *_looked_at(client, queues)]
    now_ms, *words = client.scripts.run("look", keys)
    return [_look(queue, word, int(now_ms)) for queue, word in zip(queues, words, strict=True)]


def _looked_at(client: QueueClient, queues: Sequence[str]) -> list[str]:
    return [
        key(queue)
        for queue in queues
        for key in (client.keys.attributes, client.keys.schedule, client.keys.leases, client.keys.waking)
    ]


def _look(queue: str, word: bytes, now_ms: int) -> Look:
    if word in (b"due", b"missing"):
        return Look(queue, word == b"due", word == b"missing", None)
    due_ms = decode.integer(word)
    return Look(queue, False, False, max(0, due_ms - now_ms) / 1000 if due_ms else None)


def extend(client: QueueClient, conf: Config, queue: str, children: Iterable[str]) -> list[str]:
    """Extend what these children hold of ``queue``; the ids that others have taken over."""
    args = [int(conf.LEASE * 1000), *(lane_name(child, queue) for child in children)]
    return [decode.text(id) for id in _run_room(client, conf, "extend", queue, args)[1:]]


def abandon(
    client: QueueClient, conf: Config, queue: str, child: str, *, started: Iterable[str], reason: str
) -> int:
    """Give back what a dead child held of ``queue``, to its head; how many messages it was.

    What is in ``started`` counts a crash; the rest is released.
    """
    args = [lane_name(child, queue), reason, conf.MAX_CRASHES]
    args += [rsmq_values.encode(id) for id in started]
    return _run_room(client, conf, "abandon", queue, args)[1]


def _run_room(client: QueueClient, conf: Config, script: str, queue: str, args: list) -> list:
    while True:
        [reply] = client.scripts.run_all([_room_call(client, conf, script, queue, args)])
        if reply[0] != MOVED:
            return reply
        client.learn_dead_letter_queue(queue, reply[1].decode())


def _room_call(client: QueueClient, conf: Config, script: str, queue: str, args: list) -> Call:
    """A call with the keys and first arguments that ``lua/lib/room.lua`` names."""
    keys, dead = client.keys, client.dead_letter_queue(queue)
    first = [queue, keys.channel(queue), dead, DEAD_RETENTION_SECONDS, conf.OUTBOX_MAX]
    return Call(script, keys.of_room(queue, dead), [*first, *args])


def _delivery(
    queue: str, id: bytes, body: bytes, rc: int, fr: bytes, ends: bytes, headers: bytes
) -> Delivery:
    try:
        fault, read = "", headers_in(headers)
    except decode.Unreadable as error:
        fault, read = f"its headers cannot be read: {error}", {}
    message = message_of(id, body, rc, fr, read)
    if ends == FRESH:
        return Delivery(queue, message, 0, 0, 0, message.sent if message.rc == 1 else 0.0, fault)
    failed, crashed, released, *late_ms = map(decode.integer, ends.split())
    return Delivery(queue, message, failed, crashed, released, late_ms[0] if late_ms else 0.0, fault)
