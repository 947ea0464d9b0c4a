"""Claims, hands to the crew, settles: the only part of a child that speaks to Redis.

``step`` does one turn and returns how long to wait at most. What the last batch came to and the next
claim share one round trip. A call that failed is kept as it was and repeated, so a lost reply
changes nothing.
"""

import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..client import QueueClient
from ..conf import Conf
from ..exceptions import QueueError, QueueExists, QueueNotFound
from ..holdings import Batch, Delivery, Lane, LaneCall, run_all
from ..listener import Listener
from ..outcomes import Outcome
from ..subscription import POLL_SECONDS
from .board import Slot
from .clock import ServerClock
from .crew import Crew
from .log import OutcomeLog
from .outage import Outage
from .pace import Pace

logger = logging.getLogger("queueing.worker")

#: What waits behind a job that takes longer is given back, for another child to run.
STUCK_SECONDS = 0.2
#: How often a child whose crew has messages waiting settles what it has finished.
SETTLE_SECONDS = 0.05
#: A child that finds work without a pause for so long stops listening.
BUSY_SECONDS = 1.0
#: A queue on which a script fails is left alone for so long.
BROKEN_SECONDS = 5.0


@dataclass
class Exchange:
    """One round trip: what is settled, lane by lane, and the lane on which is claimed."""

    calls: list[LaneCall] = field(default_factory=list)
    settled: list[tuple[Lane, list[Outcome]]] = field(default_factory=list)
    claiming: Lane | None = None
    asked: int = 0


class Consumer:
    """One child's consumer of some queues, in order of preference."""

    def __init__(
        self, client: QueueClient, conf: Conf, *, child: str, queues: Sequence[str], crew: Crew,
        slot: Slot, listener: Listener, clock: ServerClock, log: OutcomeLog, outage: Outage,
    ) -> None:  # fmt: skip
        self.client, self.crew, self.slot, self.listener = client, crew, slot, listener
        self.clock, self.log, self.outage = clock, log, outage
        self.lanes = [Lane(client, conf, child, queue) for queue in queues]
        self.pace = Pace(crew.threads)
        self.is_quiet = False
        self.has_settled = False
        self._unsettled: list[Outcome] = []
        self._exchange: Exchange | None = None
        self._missing: str | None = None
        self._held = self._claims = 0
        self._lane = 0
        self._runs_alone = self._awaits_idle = False
        self._dry = self.wants_to_hear = False
        self._look_at = self._heard_at = time.monotonic()
        self._due_at: dict[str, float] = {}
        self._broken_until: dict[str, float] = {}

    def quiet(self) -> None:
        """Claim no more, and give back what has not begun."""
        self.is_quiet = True

    def wake(self) -> None:
        """Something may have been sent."""
        self.listener.drain()
        self._look_again()

    @property
    def is_drained(self) -> bool:
        """Whether nothing is in hand any more."""
        return not (self.crew.unfinished or self._unsettled or self._exchange)

    @property
    def found_all(self) -> bool:
        """Whether nothing is in hand and no queue had anything due."""
        return self._dry and self.is_drained

    def step(self) -> float:
        """One turn. Returns the seconds after which, at the latest, the next one is wanted."""
        self._collect()
        try:
            if self.outage.is_on:
                self.client.ping()
                self.outage.ends()
            if self.outage.courtesy_seconds:
                # The exchange that failed may hold a claim, and is repeated as it was or not at all.
                return self.outage.courtesy_seconds
            self._create_missing()
            self._exchange = self._exchange or self._next_exchange()
            # Until the reply is here nobody knows what the claim has taken: the keeper extends it.
            self.slot.hold(self._held + self._exchange.asked, self._claims)
            replies = run_all(self.client, self._exchange.calls) if self._exchange.calls else []
        except QueueError as error:
            return self.outage.goes_on(error)
        exchange, self._exchange = self._exchange, None
        self._read(exchange, replies)
        self.log.flush()
        return self._pause()

    # --- one turn -----------------------------------------------------------------------------

    def _collect(self) -> None:
        for outcome in self.crew.take_finished():
            self.pace.ran((outcome.finished_ms - (outcome.started_ms or 0)) / 1000)
            self._unsettled.append(outcome)
        if self.is_quiet or self.crew.is_stuck(STUCK_SECONDS):
            self._unsettled += [self._released(delivery) for delivery in self.crew.take_back()]

    def _create_missing(self) -> None:
        if self._missing:
            with contextlib.suppress(QueueExists):
                self.client.create_queue(self._missing)
            self._missing = None

    def _next_exchange(self) -> Exchange:
        exchange = Exchange()
        by_queue: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self._unsettled:
            by_queue[outcome.queue].append(outcome)
        self._unsettled = []
        for lane in self.lanes:
            outcomes = by_queue.get(lane.queue, [])
            if self._is_broken(lane):
                self._unsettled += outcomes
            elif outcomes:
                exchange.settled.append((lane, outcomes))
                exchange.calls.append(lane.settle(outcomes))
        if time.monotonic() >= self._look_at:
            self._look_again()
        self._add_claim(exchange)
        return exchange

    def _add_claim(self, exchange: Exchange) -> None:
        room = self._room()
        lane = self.lanes[self._lane]
        # Where a settle is on its way already, looking costs next to nothing.
        if not room or (self._dry and not exchange.calls):
            return
        if self._is_broken(lane):
            self._has_no_more()
            return
        exchange.claiming, exchange.asked = lane, room
        suspects = "take" if not self.crew.unfinished else "await"
        if suspects == "await" and self.crew.longest_seconds > STUCK_SECONDS:
            # Nobody knows when this child will be idle.
            suspects = "pass"
        exchange.calls.append(lane.claim(room, suspects=suspects))

    def _room(self) -> int:
        """How many messages to claim now."""
        if self.is_quiet or (self._runs_alone and self.crew.unfinished):
            return 0
        if self._awaits_idle and self.crew.unfinished and self.crew.longest_seconds <= STUCK_SECONDS:
            return 0
        if self.crew.is_stuck(STUCK_SECONDS):
            return 0
        return self.pace.room(self.crew.unfinished)

    def _read(self, exchange: Exchange, replies: list) -> None:
        for (lane, outcomes), reply in zip(exchange.settled, replies, strict=False):
            if isinstance(reply, QueueError):
                self._unsettled += outcomes
                self._breaks(lane, reply)
                continue
            refused = lane.read_settle(reply)
            self._held -= len(outcomes)
            self.has_settled = True
            for outcome in outcomes:
                if outcome.event == "retrying":
                    self._comes_due(lane, outcome.delay_ms / 1000)
                self.log.tell(
                    replace(outcome, event=refused[outcome.id]) if outcome.id in refused else outcome
                )
        if exchange.claiming:
            self._read_claim(exchange.claiming, exchange.asked, replies[-1])
        self.slot.hold(self._held, self._claims)

    def _read_claim(self, lane: Lane, asked: int, reply: list) -> None:
        if isinstance(reply, QueueError):
            self._breaks(lane, reply)
            self._has_no_more()
            return
        self._claims += 1
        try:
            batch = lane.read_claim(reply)
        except QueueNotFound:
            self._missing = lane.queue
            return
        self.clock.set(batch.now_ms)
        self._held += len(batch.deliveries)
        self.slot.hold(self._held, self._claims)
        self.crew.put(batch.deliveries)
        self._runs_alone = any(delivery.runs_alone for delivery in batch.deliveries)
        self._awaits_idle = batch.wants_idle_child
        self._due_at[lane.queue] = _due_at(batch)
        if len(batch.deliveries) == asked or (batch.has_more and (batch.deliveries or self.crew.unfinished)):
            self._look_again()
        else:
            self._has_no_more()

    def _has_no_more(self) -> None:
        """The lane on which was claimed last has nothing due: go on to the next one, or wait."""
        if self._lane + 1 < len(self.lanes):
            self._lane, self._dry = self._lane + 1, False
            return
        self._lane, self._dry = 0, True
        self._look_at = min([time.monotonic() + POLL_SECONDS, *self._due_at.values()])

    def _comes_due(self, lane: Lane, in_seconds: float) -> None:
        at = time.monotonic() + in_seconds
        self._due_at[lane.queue] = min(at, self._due_at.get(lane.queue, at))
        self._look_at = min(self._look_at, at)

    def _breaks(self, lane: Lane, error: QueueError) -> None:
        """Redis refuses what is done to this queue. The others must not wait for it."""
        logger.error("%s: %s; tried again in %g s", lane.queue, error, BROKEN_SECONDS)
        self._broken_until[lane.queue] = time.monotonic() + BROKEN_SECONDS

    def _is_broken(self, lane: Lane) -> bool:
        return time.monotonic() < self._broken_until.get(lane.queue, 0.0)

    def _released(self, delivery: Delivery) -> Outcome:
        return Outcome(
            queue=delivery.queue,
            id=delivery.message.id,
            rc=delivery.message.rc,
            event="released",
            worker=self.lanes[0].child,
            finished_ms=self.clock.now_ms(),
            attempts=delivery.failed,
            crashes=delivery.crashed,
            body=delivery.message.body,
        )

    # --- between turns ------------------------------------------------------------------------

    def _look_again(self) -> None:
        self._lane, self._dry, self._look_at = 0, False, time.monotonic() + POLL_SECONDS

    def _pause(self) -> float:
        now = time.monotonic()
        self.wants_to_hear = bool(self._room()) and self._dry
        if self.wants_to_hear:
            self._heard_at = now
            if self.listener.start():
                # What was sent between the claim and the subscription was announced to nobody.
                self._look_again()
                return 0.0
        elif self.listener.is_listening and now - self._heard_at > BUSY_SECONDS:
            self.listener.stop()
        if self._room() and (self._missing or not self._dry):
            return 0.0
        if self.crew.waiting:
            return SETTLE_SECONDS
        return max(0.0, self._look_at - now) if self._room() else POLL_SECONDS


def _due_at(batch: Batch) -> float:
    """When the next message of a queue comes due, by this process' monotonic clock."""
    if not batch.next_due_ms:
        return float("inf")
    return time.monotonic() + (batch.next_due_ms - batch.now_ms) / 1000
