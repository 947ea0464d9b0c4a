"""The supervisor: forks, watches and kills processes.

It has one thread, and no connection to Redis or a database. So it can always fork, and never waits.
"""

import json
import logging
import os
import secrets
import signal
import time
from dataclasses import asdict, dataclass, field
from functools import partial

from queueing.conf import Config
from queueing.signals import emit, worker_started, worker_stopping

from .child import Child
from .database import close_database
from .guard import Guard
from .heartbeat import Birth
from .keeper import BURST_FAREWELL_SECONDS, FAREWELL_SECONDS, Keeper
from .processes import RECYCLED, UNSEEN, ended, fork, kill, kill_programs, reason
from .server_clock import Clock
from .shared_memory import Recycle, Running, SharedMemory, Slot
from .stop_signals import StopSignals, bury_orphans, handle
from .waker import Waker

logger = logging.getLogger("queueing.worker")

#: If a process exceeds its time to stop, it is killed after this extra time.
PATIENCE_SECONDS = 1.0
#: How often the supervisor checks the time limits of running messages.
LOOK_SECONDS = 1.0
#: The longest pause of the supervisor after an error.
RETRY_SECONDS = 2.0


#: The pause before a new child starts if the last child died before its first claim. Each such death doubles
#: the pause, up to the limit.
RESTART_SECONDS, MAX_RESTART_SECONDS = 0.5, 30.0


@dataclass
class ChildSlot:
    """A slot for one child process. When the child ends, its replacement uses the same slot."""

    index: int
    slot: Slot
    clock: Clock = time.monotonic
    pid: int = 0
    name: str = ""
    failures: int = 0
    not_before: float = 0.0
    is_closed: bool = False
    #: The running messages that are past their time limit or must be stopped. The child is killed as soon as
    #: it has finished its other messages, or at the time ``kill_by``.
    overdue: list[Running] = field(default_factory=list)
    kill_by: float | None = None

    @property
    def wait_seconds(self) -> float:
        """The seconds until a new child may start in this slot, 0 if it may start now."""
        return max(0.0, self.not_before - self.clock())

    def begin(self, name: str) -> None:
        """Prepare the slot for a new child."""
        self.slot.clear()
        self.name = name
        self.overdue, self.kill_by = [], None

    def check_time_limits(self, now: float, grace_seconds: float) -> bool:
        """Check for jobs that exceed their time limit or must stop. Returns whether to kill the child now.

        A child with such jobs is first ordered to finish its other jobs.
        """
        self.overdue = self.slot.overdue(now)
        if not self.overdue:
            return False  # Or not any more: a child that is recycled ends by itself.
        if self.kill_by is None:
            self.kill_by = now + grace_seconds
            self.slot.recycle(Recycle.OVERDUE)
        return now >= self.kill_by or self.slot.held <= len(self.overdue)

    def ended(self) -> list[Running]:
        """Record that the child has ended. Returns the messages that it was running, except overdue ones."""
        self.pid = 0
        late = {running.id for running in self.overdue}
        return [running for running in self.slot.running() if running.id not in late]

    def count_failure(self) -> None:
        """Record that the child has died. If it died before its first claim, delay its replacement."""
        if self.slot.claims:
            self.failures = 0
            return
        self.failures += 1
        pause_seconds = min(RESTART_SECONDS * 2**self.failures, MAX_RESTART_SECONDS)
        self.not_before = self.clock() + pause_seconds


class Supervisor:
    """One worker: its children, its keeper, and the signals that stop it."""

    def __init__(self, config: Config, clock: Clock = time.monotonic) -> None:
        self.config, self.clock = config, clock
        self.birth = Birth()
        self.memory = SharedMemory(config.PROCESSES, config.THREADS, config.queues)
        self.children = [ChildSlot(index, slot, clock) for index, slot in enumerate(self.memory.slots)]
        self.recorder_waker = Waker()
        #: The keeper writes the names of new task queues to this pipe.
        self.new_queues = Waker()
        self.keeper_pid = 0
        self._keeper_not_before = 0.0
        self._stop_by: float | None = None
        self._was_killed = False
        # The system may refuse to fork, and a log handler of the project may do anything.
        self._guard = Guard("supervisor", max_pause_seconds=RETRY_SECONDS)
        self._forking = Guard("supervisor", max_pause_seconds=RETRY_SECONDS)
        # Nothing is ever written to this one: when its end closes, children stop.
        self._children_orders, self._children_end = os.pipe()
        self._keeper_orders, self._keeper_end = os.pipe()
        os.set_blocking(self._keeper_end, False)

    def run(self) -> int:
        """Run until a stop signal or, with ``--burst``, until no message is due. Returns the exit code."""
        self._signals = StopSignals(self.config.parent)
        close_database()
        logger.info(
            "worker %s: %s; processes: %d, threads of each: %d", self.config.WORKER_NAME,
            queues_in_words(self.config), self.config.PROCESSES, self.config.THREADS,
        )  # fmt: skip
        emit(worker_started, Supervisor, worker=self.config.WORKER_NAME, queues=list(self.config.queues))
        pause_seconds = 0.0
        while not self._all_left():
            pause_seconds = self._guard.turn(partial(self._turn, pause_seconds))
        if self._stop_by is None:
            self._emit_stopping()
        self._guard.attempt(self._stop_keeper)
        logger.info("worker %s: stopped", self.config.WORKER_NAME)
        # The interpreter restores the default handlers before it ends: one more SIGTERM would kill it then.
        handle(signal.SIG_IGN)
        return 0

    def _turn(self, pause_seconds: float) -> float:
        self._wait(pause_seconds)
        return self.step(self.clock())

    def step(self, now: float) -> float:
        """Do one iteration: reap ended processes, kill children with overdue messages, start new processes.
        Returns the seconds until the next iteration.
        """
        self._reap()
        if self._stop_by is not None:
            retry_seconds = self._forking.attempt(self._replace_keeper)
            return min(self._end_grace_time(now), retry_seconds)
        for child in self.children:
            if child.pid and child.check_time_limits(now, self.config.GRACE):
                kill(child.pid)
        self._take_new_queues()
        retry_seconds = self._forking.attempt(self._replace)
        if any(child.kill_by for child in self.children if child.pid):
            return 0.05
        waits = [child.wait_seconds for child in self._vacant()]
        waits += [] if self.keeper_pid else [RESTART_SECONDS]
        return min(LOOK_SECONDS, retry_seconds, *waits)

    def _end_grace_time(self, now: float) -> float:
        remaining = (self._stop_by or 0.0) - now
        if remaining > 0:
            return remaining
        self._was_killed = True
        for child in self.children:
            if child.pid:
                kill(child.pid)
        return 0.05

    # --- signals ------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        signals = self._signals
        signals.wait(seconds)
        if signals.unknown:
            logger.info(
                "worker %s: %s means nothing to a worker", self.config.WORKER_NAME, signals.unknown[0]
            )
        if signals.stops and self._stop_by is None:
            self._stop_by = self.clock() + self.config.GRACE
            # Before the log, which may hang.
            os.close(self._children_end)
            logger.info(
                "worker %s: stopping, running jobs get %g s", self.config.WORKER_NAME, self.config.GRACE
            )
            self._emit_stopping()
        if signals.stops_now and self._stop_by and self.clock() < self._stop_by:
            self._stop_by = self.clock()
            logger.info("worker %s: stopping now, running jobs are given back", self.config.WORKER_NAME)

    def _emit_stopping(self) -> None:
        emit(worker_stopping, Supervisor, worker=self.config.WORKER_NAME)

    # --- children -----------------------------------------------------------------------------

    def _all_left(self) -> bool:
        if self._stop_by is None:
            return all(child.is_closed for child in self.children)
        return not any(child.pid for child in self.children)

    def _vacant(self) -> list[ChildSlot]:
        return [child for child in self.children if not child.pid and not child.is_closed]

    def _replace(self) -> None:
        self._replace_keeper()
        for child in self._vacant():
            if not child.wait_seconds:
                self._start_child(child)

    def _start_child(self, child: ChildSlot) -> None:
        child.begin(f"{self.config.WORKER_NAME}.{child.index}-{secrets.token_hex(3)}")
        close_database()
        child.pid = fork(partial(self._live_as_child, child))
        self._order_keeper(order="started", child=child.name, pid=child.pid, slot=child.index)

    def _live_as_child(self, child: ChildSlot) -> int:
        os.close(self._children_end)
        os.close(self._keeper_end)
        os.close(self._keeper_orders)
        life = Child(
            self.config, name=child.name, index=child.index, slot=child.slot,
            queues=self.memory.queues, orders=self._children_orders, recorder_waker=self.recorder_waker,
        )  # fmt: skip
        return life.run()

    def _reap(self) -> None:
        for child in self.children:
            if child.pid:
                code = ended(child.pid)
                if code is not None:
                    self._child_ended(child, code)
        if self.keeper_pid and ended(self.keeper_pid) is not None:
            logger.error("worker %s: the keeper died, it is replaced", self.config.WORKER_NAME)
            self.keeper_pid = 0
        bury_orphans({self.keeper_pid, *(child.pid for child in self.children)})

    def _child_ended(self, child: ChildSlot, code: int) -> None:
        is_done = code in (0, RECYCLED, UNSEEN) and not child.slot.held
        if not is_done:
            # These programs would still run during the next attempt.
            kill_programs(child.pid)
        ran, ended_by_force = child.ended(), [] if self._was_killed else child.overdue
        # Only jobs past their time limit are reported as overdue. Jobs that a user has stopped are left out,
        # because they are cancelled when the child's messages are given back.
        overdue = [running for running in ended_by_force if not running.is_stopped]
        # Jobs that ran beside the one that timed out or was stopped did not crash. Release them.
        is_crash = not (self._was_killed or ended_by_force)
        started = [running.id for running in ran] if is_crash else []
        ran_once = child.slot.ran() if is_crash else []
        why = f"its process {reason(code)}"
        if self._was_killed:
            why = "the worker had to stop now" if self._signals.stops_now else "the grace time was over"
        elif ended_by_force:
            why = f"another message of its process {'ran past its time limit' if overdue else 'was stopped'}"
        self._order_keeper(
            order="ended", child=child.name, started=started + ran_once, reason=why,
            overdue=[asdict(running) for running in overdue],
        )  # fmt: skip
        if is_done:
            child.is_closed = self.config.burst and code != RECYCLED
            return
        child.count_failure()
        self._log_death(child, reason(code), started, ended_by_force)

    def _log_death(self, child: ChildSlot, how: str, started: list[str], overdue: list[Running]) -> None:
        level = logging.WARNING if self._was_killed or overdue else logging.ERROR
        what = f" while running {', '.join(started)}" if started else ""
        if overdue:
            ends = {False: "ran past its time limit", True: "was stopped"}
            what = ", as " + ", ".join(f"{running.id} {ends[running.is_stopped]}" for running in overdue)
        logger.log(level, "child %s %s%s", child.name, how, what)

    def _take_new_queues(self) -> None:
        """Add the new queues that the keeper has found. Each child finishes its jobs and is replaced."""
        names = self.new_queues.read().decode().splitlines()
        if new := self.memory.add_queues(names):
            logger.info("worker %s takes also %s", self.config.WORKER_NAME, ", ".join(new))
            for child in self.children:
                if child.pid:
                    child.slot.recycle(Recycle.NEW_QUEUES)

    # --- the keeper ---------------------------------------------------------------------------

    def _replace_keeper(self) -> None:
        if self.keeper_pid or self.clock() < self._keeper_not_before:
            return
        # A keeper that dies immediately is replaced only after a pause.
        self._keeper_not_before = self.clock() + RESTART_SECONDS
        # The next keeper must have the queues in the same order as the children.
        self._take_new_queues()
        close_database()
        self.keeper_pid = fork(self._live_as_keeper)
        for child in self.children:
            if child.pid:
                self._order_keeper(order="started", child=child.name, pid=child.pid, slot=child.index)

    def _live_as_keeper(self) -> None:
        if self._stop_by is None:
            os.close(self._children_end)
        os.close(self._keeper_end)
        keeper = Keeper(
            self.config, memory=self.memory, orders=self._keeper_orders, waker=self.recorder_waker,
            new_queues=self.new_queues, birth=self.birth,
        )  # fmt: skip
        keeper.run()

    def _order_keeper(self, **order: object) -> None:
        try:
            os.write(self._keeper_end, json.dumps(order).encode() + b"\n")
        except BlockingIOError:
            # The keeper hangs. Without this order, messages are given back when their leases end.
            logger.error("worker %s: the keeper does not listen", self.config.WORKER_NAME)

    def _stop_keeper(self) -> None:
        self._order_keeper(order="stop")
        began = self.clock()
        while self.keeper_pid and ended(self.keeper_pid) is None:
            is_patient = self.config.burst and not self._signals.stops
            farewell = BURST_FAREWELL_SECONDS if is_patient else FAREWELL_SECONDS
            if self.clock() > began + farewell + PATIENCE_SECONDS:
                kill(self.keeper_pid)
                return
            self._signals.wait(0.1)


def queues_in_words(config: Config) -> str:
    """The names of a worker's queues for the log, with weights above 1, and a note of a strict order."""
    weights = config.weights
    names = [f"{queue}:{weights[queue]}" if queue in weights else queue for queue in config.queues]
    return ", ".join(names) + (" strictly in this order" if config.strict and len(names) > 1 else "")
