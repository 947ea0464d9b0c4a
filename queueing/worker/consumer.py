"""The main loop of a child: it claims messages, passes them to the threads, and reports how they ended.

This report is called a settle. It shares one round trip with the next claim. If a call fails, exactly the
same call is repeated. Redis recognises a repeat, so a lost reply has no effect.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from queueing.broker.leases import Delivery, QueueLease, read_look
from queueing.broker.outcomes import Outcome, State
from queueing.broker.pubsub import POLL_SECONDS
from queueing.client import QueueClient, follow_ups, sweep
from queueing.client.default import ensure_queue
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueNotFound, QueueUnavailable
from queueing.signals import emit_finished

from .database import tend_after_receivers
from .exchange import Exchange, Held
from .logging import OutcomeLog
from .polling import BROKEN_SECONDS, Prefetch, QueueRotation, RedisOutage
from .processes import end_if_fork
from .server_clock import Clock, ServerClock
from .shared_memory import Slot
from .standby import Standby
from .thread_pool import ThreadPool

logger = logging.getLogger("queueing.worker")

#: If the jobs of all threads have run for this long, waiting messages are given back for other children.
STUCK_SECONDS = 0.2
#: How often a child settles finished messages while other messages wait in its thread pool.
SETTLE_SECONDS = 0.05
#: Back-pressure: once the outbox is half full, the next claim is delayed by up to this time.
FULL_SECONDS = 1.0


class Consumer:
    """Claims and settles the messages that one child runs."""

    def __init__(
        self, client: QueueClient, config: Config, *, child: str, queues: Sequence[str], pool: ThreadPool,
        slot: Slot, standby: Standby, server_clock: ServerClock, log: OutcomeLog, outage: RedisOutage,
        clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self.client, self.child, self.pool, self.slot, self.standby = client, child, pool, slot, standby
        self.server_clock, self.clock, self.log, self.outage = server_clock, clock, log, outage
        self.leases = {queue: QueueLease(client.session, config, child, queue) for queue in queues}
        self.rotation = QueueRotation(queues, clock, weights=config.weights, strict=config.strict)
        self.prefetch = Prefetch(pool.threads)
        self.is_quiet = self.is_paused = self._runs_alone = self._awaits_idle = False
        #: The number of messages that the child has claimed, and the highest number that it may claim in all.
        self.taken, self.taken_max = 0, config.MAX_JOBS or math.inf
        self.has_settled = False
        self._is_burst, self._has_settled_since_look = config.burst, False
        self._unsettled: list[Outcome] = []
        #: Settled deliveries whose Django signals are still to be sent.
        self._ended: list[Outcome] = []
        self._exchange: Exchange | None = None
        self._missing: str | None = None
        #: The last error of each queue whose calls fail.
        self._faults: dict[str, str] = {}
        self._held = Held(slot)
        #: If the outbox was more than half full, nothing is claimed before this time.
        self._resume_at = 0.0
        #: Queues with an announced message. It is unknown whether another child has taken the message.
        self._announced: set[str] = set()
        self.wants_announcements = False

    def quiet(self) -> None:
        """Stop claiming, and give back the claimed messages that have not started."""
        self.is_quiet = True
        if not self.outage.has_contact:  # So no claim can have taken a message.
            self._exchange = None
            self._held.show()

    def pause(self, paused: bool) -> None:
        """Stop claiming if ``paused``, else continue. Messages that are already claimed still run."""
        if self.is_paused and not paused:
            self.rotation.begin()
        self.is_paused = paused

    def wake(self) -> None:
        """Read the wake-ups and announcements that have arrived, so that their queues are checked soon."""
        woken, announced = self.standby.listener.drain()
        for queue in woken:
            self.standby.is_entered = False
            self.rotation.announce(queue)
        self._announced |= announced - woken
        if len(self._announced) == 1:
            self.rotation.announce(self._announced.pop())

    @property
    def is_drained(self) -> bool:
        """Whether the child holds no message: each message that it has claimed is settled."""
        return not (self.pool.unfinished or self._unsettled or self._exchange)

    @property
    def found_all(self) -> bool:
        """Whether the child holds no message, and the last checks found no due message in any queue."""
        return self.rotation.is_idle and self.is_drained

    def step(self, now: float) -> float:
        """Do one iteration. Returns the seconds until the next one, which begins earlier after a wake-up."""
        self._collect()
        try:
            if self.outage.is_on:
                self.client.ping()
                self.outage.ends()
            if self.outage.courtesy_seconds:
                # The exchange that failed may contain a claim. It must be repeated unchanged.
                return self.outage.courtesy_seconds
            self._create_missing()
            self._stand_by()
            self._exchange = self._exchange or self._next_exchange()
            # Until the reply arrives, the claim may have taken all of these: the keeper extends their leases.
            self._held.show(self._exchange)
            replies = self._run(self._exchange)
        except QueueUnavailable as error:
            return self.outage.continues(error)
        except QueueError as error:
            return self._refuses(error)
        exchange, self._exchange = self._exchange, None
        follow_ups.send_soon(self.client, self._read(exchange, replies))
        self.log.flush()
        return min(self._pause(), self.outage.contact_seconds)

    # --- one iteration ------------------------------------------------------------------------

    def _run(self, exchange: Exchange) -> list[Any]:
        """Send the calls. Returns the replies. Without calls, check now and then if Redis accepts writes."""
        replies = self.client.session.call_each(exchange.calls) if exchange.calls else []
        if exchange.calls or self.outage.is_contact_due:
            if not exchange.calls:
                self.client.ping()
            self.outage.accepted()
        return replies

    def _refuses(self, error: QueueError) -> float:
        """Handle an error of the whole round trip, not of one queue. Returns the seconds to wait."""
        if self.outage.is_on:
            return self.outage.continues(error)
        logger.error("%s; tried again in %g s", error, BROKEN_SECONDS)
        return BROKEN_SECONDS

    def _collect(self) -> None:
        for outcome in self.pool.take_finished():
            self.prefetch.ran((outcome.finished_ms - (outcome.started_ms or 0)) / 1000)
            self._unsettled.append(outcome)
        if self.is_quiet or self.pool.is_stuck(STUCK_SECONDS):
            self._unsettled += [self._released(delivery) for delivery in self.pool.take_back()]

    def _stand_by(self) -> None:
        is_entered_in_vain = self.standby.is_entered and not self._room()
        if is_entered_in_vain or self.standby.must_stop_listening or self.is_quiet or self.is_paused:
            self.standby.leave()
        elif self.rotation.is_idle and self.standby.enter_queues():
            self.rotation.begin()

    def _create_missing(self) -> None:
        if self._missing:
            queue, self._missing = self._missing, None
            try:
                ensure_queue(self.client, queue)
            except QueueUnavailable:
                raise  # The next claim finds that it is missing.
            except QueueError as error:
                self._breaks(self.leases[queue], error)

    def _next_exchange(self) -> Exchange:
        exchange = Exchange()
        by_queue: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self._unsettled:
            by_queue[outcome.queue].append(outcome)
        self._unsettled = []
        for queue, outcomes in by_queue.items():
            if self.rotation.is_broken(queue):
                self._unsettled += outcomes
            else:
                exchange.settle(self.leases[queue], outcomes)
        if self.standby.listener.is_listening and self._has_free_thread:
            self.wake()  # The claim covers what was announced before it.
        self.rotation.begin_if_due()
        if self._room() and (self.rotation.is_look_due or (self.rotation.is_idle and self._announced)):
            queues = self.leases if self.rotation.is_look_due else self._announced
            exchange.look(self.client.session, list(queues))
            self._announced = set()
        else:
            self._add_claim(exchange)
        return exchange

    def _add_claim(self, exchange: Exchange) -> None:
        room, queue = self._room(), self.rotation.claimable
        # Beside a settle that is sent anyway, a claim costs next to nothing.
        is_wanted = not self.rotation.is_idle or exchange.calls or self._wants_entry
        if not room or not is_wanted or queue is None:
            return
        suspects = "take" if not self.pool.unfinished else "await"
        if suspects == "await" and self.pool.longest_seconds > STUCK_SECONDS:
            suspects = "pass"  # Nobody knows when this child will be idle.
        self._announced.discard(queue)
        stand_by = self.standby.terms(self.pool.threads - self.pool.unfinished)
        exchange.claim(self.leases[queue], room, suspects=suspects, stand_by=stand_by)

    def _room(self) -> int:
        unfinished = self.pool.unfinished
        is_held_off = self.clock() < self._resume_at or self.pool.is_stuck(STUCK_SECONDS)
        if self.is_quiet or self.is_paused or is_held_off or (self._runs_alone and unfinished):
            return 0
        if self._awaits_idle and unfinished and self.pool.longest_seconds <= STUCK_SECONDS:
            return 0
        # After its run, each message may have to be recorded by ``Slot.add_ran``.
        most = min(self.taken_max - self.taken, self.slot.ran_room - unfinished)
        return self.prefetch.room(unfinished, most=most)

    def _read(self, exchange: Exchange, replies: list[Any]) -> list[bytes]:
        """Read the replies. Returns the follow-ups in them, as JSON."""
        texts: list[bytes] = []
        for (lease, outcomes), reply in zip(exchange.settled, replies, strict=False):
            if isinstance(reply, QueueError):
                self._unsettled += outcomes
                self._breaks(lease, reply)
            else:
                self._faults.pop(lease.queue, None)
                self._read_settle(lease, outcomes, reply)
                texts += lease.read_follow_ups(reply)
        if exchange.looks:
            self._read_look(exchange.looks, replies[-1])
        if exchange.claiming:
            self._read_claim(exchange.claiming, exchange.asked, replies[-1])
        self._held.show()
        self._emit_ended()
        return texts

    def _emit_ended(self) -> None:
        """Send Django signals for settled deliveries, after the claim, because receivers may be slow."""
        ended, self._ended = self._ended, []
        for outcome in ended:
            if outcome.is_reported:
                emit_finished(outcome)
        end_if_fork()
        tend_after_receivers()

    def _read_look(self, queues: Sequence[str], reply: list[Any] | QueueError) -> None:
        self._has_settled_since_look = False
        if isinstance(reply, QueueError):
            # The next claims show which queue has the error.
            logger.debug("the look failed: %s", reply)
            self.rotation.looked([])
        else:
            self.rotation.looked(read_look(queues, reply))

    def _read_settle(self, lease: QueueLease, outcomes: Sequence[Outcome], reply: list[Any]) -> None:
        refused = lease.read_settle(reply)
        self._resume_at = self.clock() + FULL_SECONDS * max(0.0, 2 * lease.read_fullness(reply) - 1)
        self._held.settled(lease.queue, outcomes)
        lease.in_hand.difference_update((outcome.id, outcome.rc) for outcome in outcomes)
        self._has_settled_since_look = True
        self.has_settled = self.has_settled or lease.records(outcomes)
        for outcome in outcomes:
            if outcome.id in refused:
                outcome = replace(outcome, event=refused[outcome.id])
            elif outcome.delay_ms:
                self.rotation.comes_due(lease.queue, outcome.delay_ms / 1000)
            self.log.write(outcome)
            self._ended.append(outcome)

    def _read_claim(self, lease: QueueLease, asked: int, reply: list[Any] | QueueError) -> None:
        if isinstance(reply, QueueError):
            self._breaks(lease, reply)
            self.rotation.has_no_more(lease.queue)
            return
        self._faults.pop(lease.queue, None)
        self._held.claims += 1
        try:
            batch = lease.read_claim(reply)
        except QueueNotFound:
            self._misses(lease.queue)
            return
        self.server_clock.set(batch.now_ms)
        self._held.add(lease.queue, len(batch.deliveries))
        self.taken += len(batch.deliveries)
        self._held.show()
        self.pool.put(batch.deliveries)
        self._runs_alone = any(delivery.runs_alone for delivery in batch.deliveries)
        self._awaits_idle = batch.wants_idle_child
        self.rotation.took(lease.queue, len(batch.deliveries))
        if batch.has_more and (batch.deliveries or self.pool.unfinished):
            self.rotation.has_more(lease.queue)
        else:
            self.rotation.has_no_more(lease.queue, batch.next_due_seconds, held_back=batch.is_held_back)
        if queue := self.standby.entered(batch.standing):
            self.rotation.announce(queue)

    def _misses(self, queue: str) -> None:
        """Let the next ``step`` create ``queue``, but leave a low-priority queue to its first send."""
        if queue in self.rotation.siblings:
            self.rotation.has_no_more(queue)
        else:
            self._missing = queue

    def _breaks(self, lease: QueueLease, error: QueueError) -> None:
        """Log the error of a queue, and skip the queue for a while. Repeated errors have the level DEBUG."""
        level = logging.DEBUG if self._faults.get(lease.queue) == str(error) else logging.ERROR
        self._faults[lease.queue] = str(error)
        logger.log(level, "%s: %s; tried again every %g s", lease.queue, error, BROKEN_SECONDS)
        self.rotation.breaks(lease.queue)
        # Another program may have left a key of another type.
        with suppress(QueueError):
            sweep.mend_keys(self.client.session, lease.queue)

    def _released(self, delivery: Delivery) -> Outcome:
        now_ms = self.server_clock.now_ms()
        return delivery.ended(State.RELEASED, self.child, finished_ms=now_ms, attempts=delivery.failed)

    # --- between iterations -------------------------------------------------------------------

    @property
    def _has_free_thread(self) -> bool:
        return self.pool.unfinished < self.pool.threads

    @property
    def _wants_entry(self) -> bool:
        return self._has_free_thread and self.standby.wants_entry and self.rotation.claimable is not None

    def _pause(self) -> float:
        has_room = bool(self._room())
        if has_room and self._is_burst and self._has_settled_since_look and self.found_all:
            # The jobs may have sent messages to any queue.
            self.rotation.begin()
            self._has_settled_since_look = False
        self.wants_announcements = has_room and self._has_free_thread and self.rotation.is_idle
        if self.standby.listen(self.wants_announcements):
            # Announcements between the claim and the subscription were lost.
            self.rotation.begin()
        if has_room and (self._missing or not self.rotation.is_idle or self._wants_entry):
            return 0.0
        if self.pool.waiting:
            return SETTLE_SECONDS
        if has_room:
            return self.rotation.idle_seconds
        held_off_seconds = self._resume_at - self.clock()
        return held_off_seconds if held_off_seconds > 0 else POLL_SECONDS
