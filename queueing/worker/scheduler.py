"""Sends the messages of schedules when they are due. Any number of workers may serve the same schedules.

A tick is one time at which a schedule is due, by Redis' clock. If several workers want to send a tick, the
send script lets only the first one do it. So a worker that is late, suspended or has a wrong clock does no
harm. If a worker is killed, no tick is lost: a tick that was neither sent nor skipped stays due for every
other worker.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from queueing.client import QueueClient
from queueing.client.default import ensuring
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.messages import Draft, Ticked
from queueing.scheduling import store
from queueing.scheduling.schedule import LATE_MS, Schedule
from queueing.signals import emit, message_sent

from .database import tend_connections
from .guard import Guard, run_until
from .processes import end_if_fork
from .server_clock import Clock, ServerClock

logger = logging.getLogger("queueing.worker")

#: How often a worker registers its schedules and reads their state. Workers of another release count as gone
#: after three missed registrations (``LEFT_MS``).
NAMING_SECONDS = 20.0
#: The most ticks of one schedule that one call sends, if ticks were missed.
STEP = 10
#: The longest pause between two attempts to send the messages of one schedule.
MAX_RETRY_SECONDS = 60.0


@dataclass
class Plan:
    """A schedule and its state in this worker.

    After a failure, the worker tries again at ``retry_at`` (``time.monotonic``).
    """

    schedule: Schedule
    settled_ms: int | None = None
    #: Whether workers that started later have another timetable for the schedule. Then they send its ticks.
    yields: bool = False
    next_ms: float = math.inf
    failures: int = 0
    retry_at: float = 0.0

    def settle(self, ms: int | None) -> None:
        """Remember that all ticks up to ``ms`` are settled (sent or skipped), and compute the next tick.

        With ``None``, this worker sends no ticks of the schedule for now: it does not know which ticks are
        settled, or other workers send the ticks.
        """
        if ms is not None and ms == self.settled_ms:
            return
        following = None if ms is None else self.schedule.timetable.after(ms)
        self.settled_ms, self.next_ms = ms, math.inf if following is None else following

    def give_way(self) -> None:
        """Leave the ticks to workers that started later and have another timetable for the schedule."""
        if not self.yields:
            logger.warning("schedule %s: newer code has other times for it", self.schedule.name)
        self.yields = True
        self.settle(None)

    def take_over(self, ms: int) -> None:
        """Let this worker send the ticks after ``ms`` (ms since 1970)."""
        if self.yields:
            since = self.schedule.timetable.moment(ms).isoformat(timespec="seconds")
            logger.warning(
                "schedule %s: no worker has other times for it any more; it goes on from %s",
                self.schedule.name, since,
            )  # fmt: skip
        self.yields = False
        self.settle(ms)

    def fail(self, now: float) -> None:
        self.retry_at = now + min(0.5 * 2 ** min(self.failures, 10), MAX_RETRY_SECONDS)
        self.failures += 1


class Scheduler:
    """The scheduler of one worker. ``step`` sends the messages that are due; ``run`` repeats ``step``."""

    def __init__(
        self, client: QueueClient, schedules: Sequence[Schedule], clock: Clock = time.monotonic
    ) -> None:
        self.client, self.clock = client, clock
        self.plans = [Plan(schedule) for schedule in schedules]
        self._server_clock = ServerClock(clock)
        self._name_at = 0.0
        #: The time of this worker's first registration of its schedules (ms since 1970, by Redis' clock).
        self._born_ms: int | None = None
        self._guard = Guard("scheduler")

    def run(self, ended: threading.Event | None = None) -> None:
        """Call ``step`` until ``ended`` is set.

        Without ``ended`` it never returns, so it needs a daemon thread.
        """
        run_until(ended or threading.Event(), self._step_in_thread)

    def _step_in_thread(self) -> float:
        try:
            return self.step(self.clock())
        finally:
            tend_connections()  # The code that makes a body may have asked the database.

    def step(self, now: float) -> float:
        """Send the messages that are due, and register schedules. Returns the seconds until the next step."""
        return self._guard.turn(partial(self._turn, now))

    def _turn(self, now: float) -> float:
        if now >= self._name_at:
            self._name()
        for plan in self.plans:
            if self._wait_seconds(plan) <= 0:
                self._try(plan)
        waits = [self._name_at - self.clock(), *map(self._wait_seconds, self.plans)]
        return max(0.0, min(waits))

    def _wait_seconds(self, plan: Plan) -> float:
        due = (plan.next_ms - self._server_clock.now_ms()) / 1000
        return max(due, plan.retry_at - self.clock()) if plan.failures else due

    # --- how far they are ---------------------------------------------------------------------

    def _name(self) -> None:
        timings = [plan.schedule.timing for plan in self.plans]
        now_ms, settled = store.name_schedules(self.client.session, timings, born_ms=self._born_ms)
        self._server_clock.set(now_ms)
        for plan, ms in zip(self.plans, settled, strict=True):
            plan.give_way() if ms is None else plan.take_over(ms)
        self._name_at = self.clock() + NAMING_SECONDS
        if self._born_ms is None:
            self._born_ms = now_ms

    # --- one tick -----------------------------------------------------------------------------

    def _try(self, plan: Plan) -> None:
        name = plan.schedule.name
        try:
            self._tick(plan)
        except QueueUnavailable:
            raise  # Redis is away for all schedules.
        except QueueError as error:
            plan.fail(self.clock())
            logger.error("schedule %s cannot send to %s: %s", name, plan.schedule.target.queue, error)
        except BaseException as error:
            # The code that makes a body may raise anything, even SystemExit. The other schedules continue.
            end_if_fork(error)
            plan.fail(self.clock())
            logger.exception("schedule %s has no message", name)
        else:
            plan.failures = 0

    def _tick(self, plan: Plan) -> None:
        schedule, settled_ms = plan.schedule, plan.settled_ms
        assert settled_ms is not None, "only such a plan comes due"
        now_ms = int(self._server_clock.now_ms())
        ticks = schedule.due(settled_ms, now_ms)[:STEP]
        # ``max``: the settled time never goes back, even if ``after`` and ``until`` of a timetable disagree.
        until_ms = ticks[-1] if ticks else max(int(plan.next_ms), next(schedule.timetable.until(now_ms)))
        was_missed = until_ms != schedule.timetable.after(settled_ms) or now_ms - until_ms > LATE_MS
        drafts = [schedule.draft(tick) for tick in ticks]
        end_if_fork()
        ticked = self._send(plan, until_ms, drafts)
        if ticked.word == "sent":
            queue, sent = schedule.target.queue, drafts[-1:]
            emit(message_sent, Scheduler, queue=queue, ids=[ticked.id], messages=sent)
            end_if_fork()
        if was_missed and ticked.word == "sent":
            since = schedule.timetable.moment(settled_ms).isoformat(timespec="seconds")
            logger.warning(
                "schedule %s: nobody was there since %s; sent %d (missed: %s)",
                schedule.name, since, len(ticks), schedule.missed,
            )  # fmt: skip
        self._follow(plan, ticked)

    def _send(self, plan: Plan, until_ms: int, drafts: list[Draft]) -> Ticked:
        timing, settled_ms = plan.schedule.timing, plan.settled_ms or 0
        tick = partial(store.tick, self.client.session, timing, settled_ms, until_ms, drafts)
        ticked: Ticked = ensuring(self.client, tick, timing.queue, any_name=True)
        return ticked

    def _follow(self, plan: Plan, ticked: Ticked) -> None:
        self._server_clock.set(ticked.now_ms)
        if ticked.word == "unknown":
            # Redis has lost the schedule.
            plan.settle(None)
            self._name_at = 0.0
        elif ticked.word == "other":
            plan.give_way()
        elif ticked.word != "early":
            plan.settle(ticked.settled_ms)
        logger.debug("schedule %s: %s %s", plan.schedule.name, ticked.word, ticked.id)
