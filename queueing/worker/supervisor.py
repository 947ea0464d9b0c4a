"""Forks, watches and kills. It has one thread and no connection, so it can always fork and decide."""

import gc
import json
import logging
import os
import secrets
import signal
import time
from dataclasses import asdict
from functools import partial

from queueing.conf import Conf
from queueing.signals import emit, worker_started, worker_stopping

from .child import Child
from .database import close_database
from .guard import Guard
from .heartbeat import Birth
from .keeper import BURST_FAREWELL_SECONDS, FAREWELL_SECONDS, Keeper
from .options import Options
from .post import REBIRTH_SECONDS, Post
from .processes import RETIRED, UNSEEN, ended, fork, kill, kill_programs, reason
from .shared_memory import Board, Running
from .signals import Signals, bury_orphans, handle
from .waker import Bell

logger = logging.getLogger("queueing.worker")

#: What comes after the grace time: killing, giving back, recording.
PATIENCE_SECONDS = 1.0
#: How often it looks whether something runs past its time limit.
LOOK_SECONDS = 1.0
#: The longest pause after an error, before it tries again.
RETRY_SECONDS = 2.0


class Supervisor:
    """One worker: its children, its keeper, and the signals that stop it."""

    def __init__(self, conf: Conf, options: Options) -> None:
        self.conf, self.options = conf, options
        self.birth = Birth()
        self.board = Board(options.processes, options.threads, options.queues)
        self.posts = [Post(index, slot) for index, slot in enumerate(self.board.slots)]
        self.recorder_bell = Bell()
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
        """Work until a signal or, in a burst, until nothing is due. Returns the exit code."""
        self._signals = Signals(self.options.parent)
        close_database()
        gc.freeze()
        logger.info(
            "worker %s: %s, %d processes of %d threads", self.options.name,
            ", ".join(self.options.queues), self.options.processes, self.options.threads,
        )  # fmt: skip
        emit(worker_started, Supervisor, worker=self.options.name, queues=list(self.options.queues))
        pause_seconds = 0.0
        while not self._all_left():
            pause_seconds = self._guard.turn(partial(self._turn, pause_seconds))
        if self._stop_by is None:
            self._emit_stopping()
        self._guard.attempt(self._stop_keeper)
        logger.info("worker %s: stopped", self.options.name)
        # The interpreter restores the default handlers before it ends: one more SIGTERM would kill it then.
        handle(signal.SIG_IGN)
        return 0

    def _turn(self, pause_seconds: float) -> float:
        self._wait(pause_seconds)
        return self.step()

    def step(self) -> float:
        """One turn: reap, end what is overdue, replace. Returns the seconds until the next one."""
        self._reap()
        if self._stop_by is not None:
            retry_seconds = self._forking.attempt(self._replace_keeper)
            return min(self._end_grace_time(), retry_seconds)
        for post in self.posts:
            if post.pid and post.watch_time_limits(self.conf.GRACE):
                kill(post.pid)
        retry_seconds = self._forking.attempt(self._replace)
        if any(post.kill_by for post in self.posts if post.pid):
            return 0.05
        waits = [post.wait_seconds for post in self._vacant()]
        waits += [] if self.keeper_pid else [REBIRTH_SECONDS]
        return min(LOOK_SECONDS, retry_seconds, *waits)

    def _end_grace_time(self) -> float:
        remaining = (self._stop_by or 0.0) - time.monotonic()
        if remaining > 0:
            return remaining
        self._was_killed = True
        for post in self.posts:
            if post.pid:
                kill(post.pid)
        return 0.05

    # --- signals ------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        signals = self._signals
        signals.wait(seconds)
        if signals.unknown:
            logger.info("worker %s: %s means nothing to a worker", self.options.name, signals.unknown[0])
        if signals.stops and self._stop_by is None:
            self._stop_by = time.monotonic() + self.conf.GRACE
            # Before the log, which may hang.
            os.close(self._children_end)
            logger.info("worker %s: stopping, running jobs get %g s", self.options.name, self.conf.GRACE)
            self._emit_stopping()
        if signals.stops_now and self._stop_by and time.monotonic() < self._stop_by:
            self._stop_by = time.monotonic()
            logger.info("worker %s: stopping now, running jobs are given back", self.options.name)

    def _emit_stopping(self) -> None:
        emit(worker_stopping, Supervisor, worker=self.options.name)

    # --- children -----------------------------------------------------------------------------

    def _all_left(self) -> bool:
        if self._stop_by is None:
            return all(post.is_closed for post in self.posts)
        return not any(post.pid for post in self.posts)

    def _vacant(self) -> list[Post]:
        return [post for post in self.posts if not post.pid and not post.is_closed]

    def _replace(self) -> None:
        self._replace_keeper()
        for post in self._vacant():
            if not post.wait_seconds:
                self._start_child(post)

    def _start_child(self, post: Post) -> None:
        post.begin(f"{self.options.name}.{post.index}-{secrets.token_hex(3)}")
        close_database()
        post.pid = fork(partial(self._live_as_child, post))
        self._tell_keeper(order="born", child=post.name, pid=post.pid, slot=post.index)

    def _live_as_child(self, post: Post) -> int:
        os.close(self._children_end)
        os.close(self._keeper_end)
        os.close(self._keeper_orders)
        child = Child(
            self.conf, self.options, name=post.name, index=post.index, slot=post.slot,
            queues=self.board.queues, orders=self._children_orders, recorder_bell=self.recorder_bell,
        )  # fmt: skip
        return child.run()

    def _reap(self) -> None:
        for post in self.posts:
            if post.pid:
                code = ended(post.pid)
                if code is not None:
                    self._child_ended(post, code)
        if self.keeper_pid and ended(self.keeper_pid) is not None:
            logger.error("worker %s: the keeper died, it is replaced", self.options.name)
            self.keeper_pid = 0
        bury_orphans({self.keeper_pid, *(post.pid for post in self.posts)})

    def _child_ended(self, post: Post, code: int) -> None:
        is_done = code in (0, RETIRED, UNSEEN) and not post.slot.held
        if not is_done:
            # They would run on beside the next attempt.
            kill_programs(post.pid)
        ran, overdue = post.ended(), [] if self._was_killed else post.overdue
        # What was killed for another's sake has not crashed: its messages are released.
        started = [] if self._was_killed or overdue else [running.id for running in ran]
        why = f"its process {reason(code)}"
        if self._was_killed:
            why = "the worker had to stop now" if self._signals.stops_now else "the grace time was over"
        elif overdue:
            why = "another message of its process ran past its time limit"
        self._tell_keeper(
            order="died", child=post.name, started=started, reason=why,
            overdue=[asdict(running) for running in overdue],
        )  # fmt: skip
        if is_done:
            post.is_closed = self.options.burst and code != RETIRED
            return
        post.count_failure()
        self._log_death(post, reason(code), started, overdue)

    def _log_death(self, post: Post, how: str, started: list[str], overdue: list[Running]) -> None:
        level = logging.WARNING if self._was_killed or overdue else logging.ERROR
        what = f" while running {', '.join(started)}" if started else ""
        if overdue:
            what = f", as {', '.join(running.id for running in overdue)} ran past the time limit"
        logger.log(level, "child %s %s%s", post.name, how, what)

    # --- the keeper ---------------------------------------------------------------------------

    def _replace_keeper(self) -> None:
        if self.keeper_pid or time.monotonic() < self._keeper_not_before:
            return
        # One that cannot live is not replaced without a pause.
        self._keeper_not_before = time.monotonic() + REBIRTH_SECONDS
        close_database()
        self.keeper_pid = fork(self._live_as_keeper)
        for post in self.posts:
            if post.pid:
                self._tell_keeper(order="born", child=post.name, pid=post.pid, slot=post.index)

    def _live_as_keeper(self) -> None:
        if self._stop_by is None:
            os.close(self._children_end)
        os.close(self._keeper_end)
        keeper = Keeper(
            self.conf, self.options, board=self.board, orders=self._keeper_orders,
            bell=self.recorder_bell, birth=self.birth,
        )  # fmt: skip
        keeper.run()

    def _tell_keeper(self, **order: object) -> None:
        try:
            os.write(self._keeper_end, json.dumps(order).encode() + b"\n")
        except BlockingIOError:
            # It hangs. What is not told it is given back when its lease ends.
            logger.error("worker %s: the keeper does not listen", self.options.name)

    def _stop_keeper(self) -> None:
        self._tell_keeper(order="stop")
        began = time.monotonic()
        while self.keeper_pid and ended(self.keeper_pid) is None:
            is_patient = self.options.burst and not self._signals.stops
            farewell = BURST_FAREWELL_SECONDS if is_patient else FAREWELL_SECONDS
            if time.monotonic() > began + farewell + PATIENCE_SECONDS:
                kill(self.keeper_pid)
                return
            self._signals.wait(0.1)
