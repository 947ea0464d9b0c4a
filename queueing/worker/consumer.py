"""Claims, hands to the crew, settles: the only part of a child that speaks to Redis.

``step`` does one turn and returns how long to wait at most. What the last batch came to and the next
claim share one round trip. A call that failed is kept as it was and repeated, so a lost reply
changes nothing.
"""

import contextlib
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
from .board import Slot
from .clock import ServerClock
from .crew import Crew
from .log import OutcomeLog
from .outage import Outage
from .pace import Pace

#: RSMQ clients that do not announce what they send are found by this poll.
POLL_SECONDS = 4.5
#: What waits behind a job that takes longer is given back, for another child to run.
STUCK_SECONDS = 0.2
#: How often a child whose crew has messages waiting settles what it has finished.
SETTLE_SECONDS = 0.05
#: A child that finds work without a pause for so long stops listening.
BUSY_SECONDS = 1.0


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
        self._must_run_alone = False
        self._dry = False
        self._dry_at = self._look_at = time.monotonic()
        self._due_at: dict[str, float] = {}

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
            if outcomes := by_queue.get(lane.queue):
                exchange.settled.append((lane, outcomes))
                exchange.calls.append(lane.settle(outcomes))
        if time.monotonic() >= self._look_at:
            self._look_again()
        # A settle is on its way already, so looking costs next to nothing.
        room = self._room()
        if room and (exchange.calls or not self._dry):
            exchange.claiming, exchange.asked = self.lanes[self._lane], room
            is_idle = not self.crew.unfinished
            exchange.calls.append(exchange.claiming.claim(room, child_is_idle=is_idle))
        return exchange

    def _room(self) -> int:
        """How many messages to claim now."""
        if self.is_quiet or (self._must_run_alone and self.crew.unfinished):
            return 0
        return self.pace.room(self.crew.unfinished)

    def _read(self, exchange: Exchange, replies: list) -> None:
        for (lane, outcomes), reply in zip(exchange.settled, replies, strict=False):
            refused = lane.read_settle(reply)
            self._held -= len(outcomes)
            self.has_settled = True
            for outcome in outcomes:
                self.log.tell(
                    replace(outcome, event=refused[outcome.id]) if outcome.id in refused else outcome
                )
        if exchange.claiming:
            self._read_claim(exchange.claiming, exchange.asked, replies[-1])
        self.slot.hold(self._held, self._claims)

    def _read_claim(self, lane: Lane, asked: int, reply: list) -> None:
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
        self._must_run_alone = batch.wants_idle_child or any(d.runs_alone for d in batch.deliveries)
        self._due_at[lane.queue] = _due_at(batch)
        if len(batch.deliveries) == asked or (batch.wants_idle_child and self.crew.unfinished):
            self._look_again()
        elif self._lane + 1 < len(self.lanes):
            self._lane += 1
        else:
            self._lane, self._dry, self._dry_at = 0, True, time.monotonic()
            self._look_at = min(self._dry_at + POLL_SECONDS, *self._due_at.values())

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
        if self._room():
            if self._missing or not self._dry:
                self._stop_listening_when_busy(now)
                return 0.0
            if self.listener.start():
                # What was sent between the claim and the subscription was announced to nobody.
                self._look_again()
                return 0.0
        if self.crew.waiting:
            return SETTLE_SECONDS
        return max(0.0, self._look_at - now) if self._room() else POLL_SECONDS

    def _stop_listening_when_busy(self, now: float) -> None:
        if self.listener.is_listening and now - self._dry_at > BUSY_SECONDS:
            self.listener.stop()


def _due_at(batch: Batch) -> float:
    """When the next message of a queue comes due, by this process' monotonic clock."""
    if not batch.next_due_ms:
        return float("inf")
    return time.monotonic() + (batch.next_due_ms - batch.now_ms) / 1000
