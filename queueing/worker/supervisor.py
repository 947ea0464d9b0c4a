"""Forks, watches and kills. It has one thread and no connection, so it can always fork and decide."""

import gc
import json
import logging
import os
import secrets
import signal
import time
from dataclasses import asdict

from django.db import connections

from ..conf import Conf
from .board import Board, Running
from .child import RETIRED, Child, ignore_signals, leave
from .keeper import BURST_FAREWELL_SECONDS, FAREWELL_SECONDS, Keeper
from .liveness import Birth
from .options import Options
from .pipes import Bell
from .post import REBIRTH_SECONDS, Post
from .signals import STOP_SIGNALS, UNUSED_SIGNALS, Signals, bury_orphans, handle

logger = logging.getLogger("queueing.worker")

#: What comes after the grace time: killing, giving back, recording.
PATIENCE_SECONDS = 1.0


#: How often it looks whether something runs past its time limit.
LOOK_SECONDS = 1.0


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
        # Nothing is ever written to this one: when its end closes, children stop.
        self._children_orders, self._children_end = os.pipe()
        self._keeper_orders, self._keeper_end = os.pipe()
        os.set_blocking(self._keeper_end, False)

    def run(self) -> int:
        """Work until a signal or, in a burst, until nothing is due. Returns the exit code."""
        self._signals = Signals(self.options.parent)
        connections.close_all()
        gc.freeze()
        logger.info(
            "worker %s: %s, %d processes of %d threads", self.options.name,
            ", ".join(self.options.queues), self.options.processes, self.options.threads,
        )  # fmt: skip
        self._start_keeper()
        pause_seconds = self.step()
        while not self._all_left():
            self._wait(pause_seconds)
            pause_seconds = self.step()
        self._stop_keeper()
        logger.info("worker %s: stopped", self.options.name)
        # The interpreter restores the default handlers before it ends: one more SIGTERM would kill it then.
        handle(signal.SIG_IGN)
        return 0

    def step(self) -> float:
        """One turn: reap, replace, end what is overdue. Returns the seconds until the next one."""
        self._reap()
        if self._stop_by is not None:
            return self._end_grace_time()
        for post in self.posts:
            if post.pid and post.watch_time_limits(self.conf.GRACE):
                os.kill(post.pid, signal.SIGKILL)
        vacant = [post for post in self.posts if not post.pid and not post.is_closed]
        for post in vacant:
            if not post.wait_seconds:
                self._start_child(post)
        retiring = any(post.kill_by for post in self.posts if post.pid)
        waits = [LOOK_SECONDS, *(post.wait_seconds for post in vacant if not post.pid)]
        waits += [] if self.keeper_pid else [REBIRTH_SECONDS]
        return 0.05 if retiring else min(waits)

    def _end_grace_time(self) -> float:
        remaining = (self._stop_by or 0.0) - time.monotonic()
        if remaining > 0:
            return remaining
        self._was_killed = True
        for post in self.posts:
            if post.pid:
                os.kill(post.pid, signal.SIGKILL)
        return 0.05

    # --- signals ------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        signals = self._signals
        signals.wait(seconds)
        if signals.unknown:
            logger.info("worker %s: %s means nothing to a worker", self.options.name, signals.unknown[0])
        if signals.stops and self._stop_by is None:
            self._stop_by = time.monotonic() + self.conf.GRACE
            logger.info("worker %s: stopping, running jobs get %g s", self.options.name, self.conf.GRACE)
            os.close(self._children_end)
        if signals.stops_now and self._stop_by and time.monotonic() < self._stop_by:
            self._stop_by = time.monotonic()
            logger.info("worker %s: stopping now, running jobs are given back", self.options.name)

    # --- children -----------------------------------------------------------------------------

    def _all_left(self) -> bool:
        if self._stop_by is None:
            return all(post.is_closed for post in self.posts)
        return not any(post.pid for post in self.posts)

    def _start_child(self, post: Post) -> None:
        post.begin(f"{self.options.name}.{post.index}-{secrets.token_hex(3)}")
        post.pid = self._fork()
        if post.pid:
            self._tell_keeper(order="born", child=post.name, pid=post.pid, slot=post.index)
            return
        os.close(self._children_end)
        os.close(self._keeper_end)
        os.close(self._keeper_orders)
        child = Child(
            self.conf, self.options, name=post.name, index=post.index, slot=post.slot,
            queues=self.board.queues, orders=self._children_orders, recorder_bell=self.recorder_bell,
        )  # fmt: skip
        _live(child.run)

    def _reap(self) -> None:
        for post in self.posts:
            if post.pid:
                status = _ended(post.pid)
                if status is not None:
                    self._child_ended(post, status)
        if self.keeper_pid and _ended(self.keeper_pid) is not None:
            logger.error("worker %s: the keeper died, it is replaced", self.options.name)
            self.keeper_pid = 0
        bury_orphans({self.keeper_pid, *(post.pid for post in self.posts)})
        if not self.keeper_pid and time.monotonic() >= self._keeper_not_before:
            self._start_keeper()

    def _child_ended(self, post: Post, status: int) -> None:
        ran, overdue = post.ended(), [] if self._was_killed else post.overdue
        # What was killed for another's sake has not crashed: its messages are released.
        started = [] if self._was_killed or overdue else [running.id for running in ran]
        reason = f"its process {_reason(status)}"
        if self._was_killed:
            reason = "the worker had to stop now" if self._signals.stops_now else "the grace time was over"
        elif overdue:
            reason = "another message of its process ran past its time limit"
        self._tell_keeper(
            order="died", child=post.name, started=started, reason=reason,
            overdue=[asdict(running) for running in overdue],
        )  # fmt: skip
        code = os.waitstatus_to_exitcode(status)
        if code in (0, RETIRED) and not post.slot.held:
            post.is_closed = self.options.burst and code == 0
            return
        self._log_death(post, _reason(status), started, overdue)
        post.count_failure()

    def _log_death(self, post: Post, reason: str, started: list[str], overdue: list[Running]) -> None:
        level = logging.WARNING if self._was_killed or overdue else logging.ERROR
        what = f" while running {', '.join(started)}" if started else ""
        if overdue:
            what = f", as {', '.join(running.id for running in overdue)} ran past the time limit"
        logger.log(level, "child %s %s%s", post.name, reason, what)

    # --- the keeper ---------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        # One that cannot live is not replaced without a pause.
        self._keeper_not_before = time.monotonic() + REBIRTH_SECONDS
        self.keeper_pid = self._fork()
        if not self.keeper_pid:
            if self._stop_by is None:
                os.close(self._children_end)
            os.close(self._keeper_end)
            keeper = Keeper(
                self.conf, self.options, board=self.board, orders=self._keeper_orders,
                bell=self.recorder_bell, birth=self.birth,
            )  # fmt: skip
            _live(keeper.run)
        for post in self.posts:
            if post.pid:
                self._tell_keeper(order="born", child=post.name, pid=post.pid, slot=post.index)

    def _tell_keeper(self, **order: object) -> None:
        try:
            os.write(self._keeper_end, json.dumps(order).encode() + b"\n")
        except BlockingIOError:
            # It hangs. What is not told it is given back when its lease ends.
            logger.error("worker %s: the keeper does not listen", self.options.name)

    def _stop_keeper(self) -> None:
        self._tell_keeper(order="stop")
        began = time.monotonic()
        while self.keeper_pid and _ended(self.keeper_pid) is None:
            is_patient = self.options.burst and not self._signals.stops
            farewell = BURST_FAREWELL_SECONDS if is_patient else FAREWELL_SECONDS
            if time.monotonic() > began + farewell + PATIENCE_SECONDS:
                os.kill(self.keeper_pid, signal.SIGKILL)
                return
            self._signals.wait(0.1)

    def _fork(self) -> int:
        """Fork with the stop signals held back until the child has its own handlers."""
        held_back = STOP_SIGNALS | UNUSED_SIGNALS
        signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
        try:
            pid = os.fork()
            if pid == 0:
                ignore_signals()
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)


def _live(life) -> None:
    """Live the life of a forked process, and end with it."""
    code = 1
    try:
        code = life() or 0
    except BaseException:
        logger.exception("process %d failed", os.getpid())
    finally:
        leave(code)


def _ended(pid: int) -> int | None:
    """The wait status of a child process that has ended, else ``None``."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return status if found else None


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:  # a real-time signal has no name
            return f"was killed by signal {-code}"
    return f"exited with code {code}"
