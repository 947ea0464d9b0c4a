"""The leases of a worker: calls to claim, settle, extend and abandon messages.

Every claim and every settle of a lease has a number. If a call is repeated with the same number, the script
returns the reply of the first call. So a lost reply neither orphans a message nor makes it run twice.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from queueing.conf import Config
from queueing.exceptions import QueueError, QueueNotFound
from queueing.messages import Message
from queueing.policies import limits

from . import decode, replies
from .outcomes import Outcome, State, pack, task_numbers
from .recorded import for_outbox
from .scripts import Call, QueueCall, room_call
from .session import Session
from .timings import tally

#: A claim stops when the bodies of its messages have this many bytes.
CLAIM_BYTES = 1_000_000
#: The counters ``<failed> <crashed> <released>`` of a message that was never settled before.
FRESH = b"0 0 0"
#: The recorded reason if a message runs again although it was settled.
SETTLE_LOST = "a failover of Redis lost its settle"
#: The channel of a child, the digest of its queues, and the number of its free threads.
StandBy = tuple[str, str, int]
#: The arguments for a child that cannot be woken.
NEVER: StandBy = ("", "", 0)
#: The number of the final settle of a lease. It is higher than the number of any other settle.
LAST_SETTLE = 10**12


@dataclass(slots=True)
class Delivery:
    """A claimed message. ``failed``, ``crashed`` and ``released`` count how its earlier deliveries ended.

    ``due_ms`` is the time at which the message became due (ms since 1970), or 0 if it was delivered before.
    ``fault`` is the reason why the message cannot run, such as unreadable headers, or ``""``.
    """

    queue: str
    message: Message
    failed: int
    crashed: int
    released: int
    due_ms: float = 0.0
    fault: str = ""

    def ended(self, state: State, worker: str, **circumstances: Any) -> Outcome:
        """Make the outcome of this delivery. ``circumstances`` are further fields of ``Outcome``."""
        message = self.message
        return Outcome(
            self.queue, message.id, message.rc, state, worker,
            crashes=self.crashed, body=message.body, **circumstances,
        )  # fmt: skip

    @property
    def runs_alone(self) -> bool:
        """Whether the message must run alone in its child process, because it has crashed twice or more."""
        return self.crashed > 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of one claim, and the state of the queue after the claim. Times are ms since 1970.

    - ``next_due_ms``: the time at which the next message can be claimed, or ``now_ms`` if a further message
      is due already. It is 0 if no message waits, if the queue is paused, or if all slots of its limit are in
      use.
    - ``wants_idle_child``: whether a due message must run alone in an idle child.
    - ``is_held_back``: whether a pause or the limit of the queue permits no further claim at the moment.
    - ``standing``: the result of registering the child as idle (see ``lua/lib/stand_by.lua``), or ``""`` if
      the claim did not try to register the child.
    """

    now_ms: int
    next_due_ms: int
    wants_idle_child: bool
    is_held_back: bool
    standing: str
    deliveries: list[Delivery]

    @property
    def next_due_seconds(self) -> float | None:
        """Seconds until the next message can be claimed, or ``None`` if ``next_due_ms`` is 0."""
        return (self.next_due_ms - self.now_ms) / 1000 if self.next_due_ms else None

    @property
    def has_more(self) -> bool:
        """Whether further messages are due that the claim did not take."""
        return 0 < self.next_due_ms <= self.now_ms


def lease_name(child: str, queue: str) -> str:
    """The field in the Redis hash ``held`` that lists the messages of ``queue`` on which ``child`` works."""
    return f"{child} {queue}"


class QueueLease:
    """The lease of one child process on messages of one queue. The Lua scripts call it a lane.

    This class builds calls and parses their replies. The consumer sends the calls.
    """

    def __init__(self, session: Session, conf: Config, child: str, queue: str) -> None:
        self.session, self.conf, self.queue = session, conf, queue
        self.child, self.name = child, lease_name(child, queue)
        #: The limit of the whole queue, in the form that ``lua/lib/limits.lua`` parses.
        self.limit = limits.text_of_queue(conf.LIMITS, queue)
        self._claims = self._settles = 0
        #: The receipts of the deliveries that the child has claimed but not settled yet.
        self.in_hand: set[tuple[str, int]] = set()
        #: Whether Redis counts more messages as held than ``in_hand``, because a failover has lost a settle.
        self._has_surplus = False

    def claim(self, count: int, *, suspects: str, settling: int = 0, stand_by: StandBy = NEVER) -> QueueCall:
        """The call that claims up to ``count`` messages. The call may be repeated.

        If the last claim found messages under the lease that the child does not know of, the result is
        another call: it puts those messages back into the queue.

        - ``suspects``: what to do when the next message must run alone, because it has crashed twice or more.
          ``take`` claims the message if the lease holds no other message, and else ends the claim before the
          message. ``await`` always ends the claim before the message. ``pass`` skips the message.
        - ``settling``: the number of messages that the same round trip settles before the claim.
        - ``stand_by``: registers the child as idle if it still has a free thread after the claim.
        """
        if self._has_surplus:
            keep = (self.name, SETTLE_LOST, self.conf.MAX_CRASHES, *{id for id, _ in self.in_hand})
            return self._call("keep", *keep)
        self._claims += 1
        lease_ms, max_crashes = int(self.conf.LEASE * 1000), self.conf.MAX_CRASHES
        args = (self.name, self._claims, count, CLAIM_BYTES, lease_ms, suspects, max_crashes)
        in_hand = len(self.in_hand) - settling
        return self._call("claim", *args, in_hand, *stand_by, self.limit)

    def settle(self, outcomes: Sequence[Outcome]) -> QueueCall:
        """The call that settles deliveries of this lease. The call may be repeated."""
        self._settles += 1
        return self._settle(self._settles, outcomes)

    def settle_last(self, outcomes: Sequence[Outcome]) -> QueueCall:
        """The call that settles deliveries of a child that has died, as the last settle of its lease.

        The call may be repeated.
        """
        return self._settle(LAST_SETTLE, outcomes)

    def _settle(self, number: int, outcomes: Sequence[Outcome]) -> QueueCall:
        recorded = for_outbox(self.conf, outcomes)
        packed = pack(recorded, with_bodies=self.conf.STORE_BODIES) if recorded else b""
        args = [self.name, number, packed]
        next_steps = {outcome.id: outcome.next_step for outcome in outcomes if outcome.next_step}
        args += [tally(outcomes), task_numbers(outcomes), json.dumps(next_steps) if next_steps else ""]
        args.append(len(recorded))
        for (rc, event, delay_ms), alike in groupby(outcomes, _SETTLED):
            ids = [outcome.id for outcome in alike]
            args += [rc, event, delay_ms, len(ids), *ids]
        return self._call("settle", *args)

    def _call(self, script: str, *args: Any) -> QueueCall:
        return room_call(self.session.keys, self.conf.OUTBOX_MAX, script, self.queue, *args)

    def records(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether a settle of these outcomes writes an entry to the outbox."""
        return bool(for_outbox(self.conf, outcomes))

    def read_claim(self, reply: list[Any]) -> Batch:
        """Parse the reply of a claim. Raises ``QueueNotFound``."""
        self._has_surplus = reply[0] == b"surplus"
        if reply[0] not in (b"ok", b"surplus"):
            raise QueueNotFound
        deliveries = [_delivery(self.queue, *reply[start : start + 6]) for start in range(5, len(reply), 6)]
        self.in_hand.update((one.message.id, one.message.rc) for one in deliveries)
        standing = decode.text(reply[4])
        return Batch(
            int(reply[1]), decode.integer(reply[2]), reply[3] == b"1", reply[3] == b"2", standing, deliveries
        )

    @staticmethod
    def read_settle(reply: list[Any]) -> dict[str, State]:
        """Parse the reply of a settle: a dict of the refused outcomes, from message id to the actual state.

        The state is ``LEASE_LOST``, ``GONE`` or ``CANCELLED``. ``CANCELLED`` means that a user had asked to
        stop the message, and that the child did not know of this request yet.
        """
        texts = [decode.text(text) for text in reply[1]]
        return dict(zip(texts[::2], map(State, texts[1::2]), strict=True))

    @staticmethod
    def read_follow_ups(reply: list[Any]) -> list[bytes]:
        """The follow-up messages to send after a settle, as JSON (see ``queueing.client.follow_ups``)."""
        return reply[3:]

    @staticmethod
    def read_fullness(reply: list[Any]) -> float:
        """How full the outbox is after a settle, from 0.0 to 1.0.

        Returns 0.0 if the settle wrote no entry, or if no recorder is running.
        """
        return int(reply[2]) / 1000


#: The values of an outcome that a settle sends in addition to the message id. Consecutive outcomes often have
#: the same values, which are then sent once for all of them.
_SETTLED = attrgetter("rc", "event", "delay_ms")


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a preview of a claim on ``queue``.

    ``is_missing`` is true if the queue does not exist. ``next_due_seconds`` is ``None`` if a message is due
    already, or if no message waits.
    """

    queue: str
    is_due: bool
    is_missing: bool
    next_due_seconds: float | None


def look(session: Session, queues: Sequence[str]) -> Call:
    """The call that checks each queue for due messages, without claiming them (see ``read_look``)."""
    keys = session.keys
    of_each = (keys.attributes, keys.schedule, keys.leases, keys.waking)
    return Call("look", [keys.never(), *(key(queue) for queue in queues for key in of_each)])


def read_look(queues: Sequence[str], reply: list[Any]) -> list[Look]:
    """Parse the reply of ``look``, which was called with the same ``queues``."""
    now_ms, *words = reply
    return [_look(queue, word, int(now_ms)) for queue, word in zip(queues, words, strict=True)]


def _look(queue: str, word: bytes, now_ms: int) -> Look:
    if word in (b"due", b"missing"):
        return Look(queue, word == b"due", word == b"missing", None)
    due_ms = decode.integer(word)
    return Look(queue, False, False, max(0, due_ms - now_ms) / 1000 if due_ms else None)


@dataclass(frozen=True, slots=True)
class Stop:
    """A user's request to stop one delivery of the message ``id``: the one with the receive count ``rc``.

    If ``kills`` is true, the process that runs the message is killed.
    """

    child: str
    queue: str
    id: str
    rc: int
    kills: bool
    reason: str


class Extended(NamedTuple):
    """The result of extending the leases on one queue.

    ``lost`` are the ids of messages that another receiver has taken over. ``stops`` are requests to stop
    messages.
    """

    lost: list[str]
    stops: list[Stop]


def extend(
    session: Session, conf: Config, held: Mapping[str, Iterable[str]]
) -> dict[str, Extended | QueueError]:
    """Extend leases in one round trip. ``held`` maps each queue to the children with a lease on it.

    Returns an ``Extended`` for each queue, or the error of the queue.
    """
    lease_ms = int(conf.LEASE * 1000)
    calls = [
        room_call(
            session.keys,
            conf.OUTBOX_MAX,
            "extend",
            queue,
            lease_ms,
            *(lease_name(child, queue) for child in children),
        )
        for queue, children in held.items()
    ]
    replies = session.call_each(calls)
    return {
        queue: reply if isinstance(reply, QueueError) else _extended(queue, *reply[1:])
        for queue, reply in zip(held, replies, strict=True)
    }


def _extended(queue: str, lost: list[bytes], stops: list[Any]) -> Extended:
    rows = [stops[at : at + 5] for at in range(0, len(stops), 5)]
    return Extended(list(map(decode.text, lost)), [_stop(queue, *row) for row in rows])


def _stop(queue: str, lease: bytes, id: bytes, rc: int, kills: int, reason: bytes) -> Stop:
    child = decode.text(lease).removesuffix(lease_name("", queue))
    return Stop(child, queue, decode.text(id), rc, kills == 1, decode.text(reason))


def abandon(
    session: Session, conf: Config, queue: str, child: str, *, started: Iterable[str], reason: str
) -> int:
    """Put the messages of a dead child back at the head of ``queue``. Returns how many they are.

    ``started`` are the ids of messages that had begun to run. A crash is counted for each of them, with
    ``reason`` as its error, and the last permitted crash makes the message dead. The other messages are
    released. A message that a user has asked to stop is cancelled instead.
    """
    args = (lease_name(child, queue), reason, conf.MAX_CRASHES, *started)
    call = room_call(session.keys, conf.OUTBOX_MAX, "abandon", queue, *args)
    return int(session.call(call)[1])


def free_lost_slots(session: Session, conf: Config) -> None:
    """Free the slots of concurrency limits that belong to no lease, or to an expired lease.

    This includes the slots of messages in queues from which no worker takes messages any more. It also
    deletes the rates of keys that have not started a message for a while.
    """
    _, *lanes = session.call(Call("sweep_slots", session.keys.of_slots()))
    queues = {decode.text(lane).rpartition(" ")[2] for lane in lanes}
    # Each claim gives back the messages of leases that have ended.
    session.call_each([QueueLease(session, conf, "", queue).claim(0, suspects="pass") for queue in queues])


def _delivery(
    queue: str, id: bytes, body: bytes, rc: int, fr: bytes, ends: bytes, headers: bytes
) -> Delivery:
    try:
        fault, read = "", replies.headers(headers)
    except decode.Unreadable as error:
        fault, read = f"its headers cannot be read: {error}", {}
    message = replies.message(id, body, rc, fr, headers=read)
    if ends == FRESH:
        return Delivery(queue, message, 0, 0, 0, message.sent if message.rc == 1 else 0.0, fault)
    failed, crashed, released, *late_ms = map(decode.integer, ends.split())
    return Delivery(queue, message, failed, crashed, released, late_ms[0] if late_ms else 0.0, fault)
