"""The worker's side of the wire: claim, settle, extend and abandon what a child holds of a queue.

Every call of a lane has a number, and a call repeated with its number returns what the first one
did: so a lost reply orphans nothing and runs nothing twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import validation
from .client import QueueClient
from .conf import Conf
from .exceptions import QueueNotFound
from .keys import dead_letter_queue
from .messages import Message, sent_ms
from .outcomes import Outcome, pack
from .scripts import Call

#: Bytes of bodies at which a claim stops.
CLAIM_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed message and how its earlier deliveries ended."""

    queue: str
    message: Message
    failed: int
    crashed: int
    released: int

    @property
    def runs_alone(self) -> bool:
        """Whether it has killed so many processes that nothing else may run beside it."""
        return self.crashed > 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The reply of a claim. ``next_due_ms`` is 0 where nothing is due later or more is due now."""

    now_ms: int
    next_due_ms: int
    wants_idle_child: bool
    deliveries: list[Delivery]


def lane_name(child: str, queue: str) -> str:
    """The field of ``held`` for what ``child`` holds of ``queue``."""
    return f"{child} {queue}"


class Lane:
    """One child on one queue: it makes the calls and reads the replies, the consumer sends them."""

    def __init__(self, client: QueueClient, conf: Conf, child: str, queue: str) -> None:
        self.client, self.conf, self.queue = client, conf, queue
        self.child, self.name = child, lane_name(child, queue)
        self._claims = self._settles = 0

    def claim(self, count: int, *, child_is_idle: bool) -> Call:
        """Claim up to ``count`` messages. The call may be repeated as it is."""
        self._claims += 1
        args = [self.name, self._claims, count, CLAIM_BYTES, int(self.conf.LEASE * 1000)]
        args += [int(child_is_idle), self.conf.MAX_CRASHES]
        return _room_call(self.client, self.conf, "claim", self.queue, args)

    def settle(self, outcomes: Sequence[Outcome]) -> Call:
        """Settle deliveries of this lane. The call may be repeated as it is."""
        self._settles += 1
        args = [self.name, self._settles, pack(outcomes, with_bodies=self.conf.STORE_BODIES)]
        for outcome in outcomes:
            args += [outcome.id, outcome.rc, outcome.event, outcome.delay_ms]
        return _room_call(self.client, self.conf, "settle", self.queue, args)

    def read_claim(self, reply: list) -> Batch:
        """The batch in a claim's reply. Raises ``QueueNotFound``."""
        if reply[0] != b"ok":
            raise QueueNotFound
        deliveries = [_delivery(self.queue, *reply[start : start + 5]) for start in range(4, len(reply), 5)]
        return Batch(int(reply[1]), int(reply[2]), reply[3] == b"1", deliveries)

    @staticmethod
    def read_settle(reply: list) -> dict[str, str]:
        """What a settle refused: id -> ``lease lost`` or ``gone``."""
        texts = [validation.decode(text) for text in reply]
        return dict(zip(texts[::2], texts[1::2], strict=True))


def extend(client: QueueClient, conf: Conf, queue: str, children: Iterable[str]) -> list[str]:
    """Extend what these children hold of ``queue``; the ids that others have taken over."""
    args = [int(conf.LEASE * 1000), *(lane_name(child, queue) for child in children)]
    [lost] = client.scripts.run_all([_room_call(client, conf, "extend", queue, args)])
    return [validation.decode(id) for id in lost]


def abandon(
    client: QueueClient, conf: Conf, queue: str, child: str, *, started: Iterable[str], reason: str
) -> int:
    """Give back what a dead child held of ``queue``, to its head; how many messages it was.

    What is in ``started`` counts a crash; the rest is released.
    """
    args = [lane_name(child, queue), reason, conf.MAX_CRASHES]
    args += [validation.encode(id) for id in started]
    [count] = client.scripts.run_all([_room_call(client, conf, "abandon", queue, args)])
    return count


def _room_call(client: QueueClient, conf: Conf, script: str, queue: str, args: list) -> Call:
    """A call with the keys and first arguments that ``lua/lib/room.lua`` names."""
    keys, dead = client.keys, dead_letter_queue(queue)
    return Call(
        script,
        [
            keys.attributes(queue),
            keys.schedule(queue),
            keys.ends(queue),
            keys.leases(queue),
            keys.held(),
            keys.outbox(),
            keys.outbox_stats(),
            keys.attributes(dead),
            keys.schedule(dead),
            keys.queues(),
        ],
        [queue, keys.channel(queue), dead, conf.OUTBOX_MAX, *args],
    )


def _delivery(queue: str, id: bytes, body: bytes, rc: int, fr: bytes, ends: bytes) -> Delivery:
    text = validation.decode(id)
    message = Message(text, validation.decode(body), int(rc), validation.stored_int(fr), sent_ms(text))
    failed, crashed, released = (int(count) for count in ends.split())
    return Delivery(queue, message, failed, crashed, released)
