"""Runs a worker whose queues are on several partitions, as a fleet: one complete worker for each partition.

The process of the fleet forks these workers, and restarts a worker that has died. It has only one thread and
no connection. The workers stop when the pipe of this process closes, so they also stop if it is killed.
"""

import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from queueing.broker.places import DEFAULT
from queueing.conf import Config

from .database import close_database
from .guard import Guard
from .keeper import FAREWELL_SECONDS
from .processes import ended, kill, reason
from .server_clock import Clock
from .stop_signals import STOP_SIGNALS, UNUSED_SIGNALS, StopSignals, bury_orphans, handle
from .supervisor import MAX_RESTART_SECONDS, PATIENCE_SECONDS, RESTART_SECONDS, Supervisor

logger = logging.getLogger("queueing.worker")

#: The queue of a task that does not name a queue.
DEFAULT_QUEUE = "default"
#: If a worker dies after running for this long, the pause before its restart is the shortest one again.
STEADY_SECONDS = 60.0
#: How often the fleet's health file is touched, and the age below which the workers' files are fresh.
BEAT_SECONDS, FRESH_SECONDS = 6.0, 18.0


def by_partition(config: Config) -> list[Config]:
    """The settings of the workers: one for each partition that stores at least one queue of ``config``.

    If the fleet also takes messages from task queues that appear later, there is a worker for every partition
    in the setting ``PLACES`` and for the default partition, because each of them may store a later queue.
    """
    if not config.PARTITIONS:
        return [config]
    queues: dict[str, list[str]] = {}
    for queue in config.queues:
        queues.setdefault(config.place_of(queue), []).append(queue)
    if config.takes_new_queues:
        # A later queue may be on any of these partitions, so each needs a worker. A worker needs at least one
        # queue, so it gets the name from ``PLACES``, even if no queue with this name exists.
        for queue, name in [*config.PLACES.items(), (DEFAULT_QUEUE, DEFAULT)]:
            queues.setdefault(name, [queue.removesuffix("*") or DEFAULT_QUEUE])
    own = {name: replace(config.at(name), queues=tuple(found)) for name, found in queues.items()}
    if len(own) == 1:
        return list(own.values())
    file = config.HEALTH_FILE
    return [
        replace(one, WORKER_NAME=f"{one.WORKER_NAME}@{name}", HEALTH_FILE=file and f"{file}.{name}")
        for name, one in own.items()
    ]


@dataclass
class Member:
    """One worker of the fleet, for one partition."""

    config: Config
    pid: int = 0
    started_at: float = 0.0
    not_before: float = 0.0
    failures: int = 0
    is_over: bool = False


class Fleet:
    """The workers of several partitions. ``run`` starts, restarts and stops them."""

    def __init__(self, config: Config, configs: Sequence[Config], clock: Clock = time.monotonic) -> None:
        """``config`` has the settings of the whole fleet, such as the health file. ``configs`` has the
        settings of each worker.
        """
        self.config, self.clock = config, clock
        self.members = [Member(one) for one in configs]
        self._orders, self._end = os.pipe()
        self._stop_by: float | None = None
        self._was_hurried = False
        self._forking = Guard("fleet", max_pause_seconds=1.0)

    def run(self) -> int:
        """Run until a stop signal or, with ``--burst``, until no partition has a due message. Returns the
        exit code.
        """
        self._signals = StopSignals(self.config.parent)
        close_database()
        while not all(member.is_over for member in self.members):
            self._signals.wait(self.step(self.clock()))
            self._stop_if_wanted()
        handle(signal.SIG_IGN)
        if self.config.HEALTH_FILE:
            Path(self.config.HEALTH_FILE).unlink(missing_ok=True)
        return 0

    def step(self, now: float) -> float:
        """Do one iteration: reap and restart workers, and kill those that take too long to stop. Returns the
        seconds until the next iteration.
        """
        for member in self.members:
            if member.pid and (code := ended(member.pid)) is not None:
                self._ended(member, code, now)
            if self._stop_by is not None and not member.pid:
                member.is_over = True
            elif self._stop_by is not None and now > self._stop_by:
                kill(member.pid)
        bury_orphans({member.pid for member in self.members})
        if all(member.is_over for member in self.members):
            return 0.0
        waits = [BEAT_SECONDS if self._stop_by is None else 1.0]
        if self._stop_by is None:
            waits += [self._restart(member, now) for member in self.members if not member.pid]
            self._show_health()
        return max(0.0, min(waits))

    def _restart(self, member: Member, now: float) -> float:
        if member.is_over or now < member.not_before:
            return BEAT_SECONDS if member.is_over else member.not_before - now
        return min(BEAT_SECONDS, self._forking.attempt(partial(self._start, member)))

    def _start(self, member: Member) -> None:
        member.started_at = self.clock()
        held_back = STOP_SIGNALS | UNUSED_SIGNALS
        signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
        try:
            member.pid = os.fork()
            if not member.pid:
                self._live(member.config)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)

    def _live(self, config: Config) -> None:
        """Run the worker in the process that the fleet has forked for it, and exit.

        The fleet has blocked stop signals. They stay blocked until the worker handles them.
        """
        code = 1
        try:
            # A signal from the terminal reaches only the fleet, which passes it on to the worker.
            os.setsid()
            signal.set_wakeup_fd(-1)
            os.close(self._end)
            code = Supervisor(replace(config, parent=self._orders)).run()
        except BaseException:
            logger.exception("worker %s failed", config.WORKER_NAME)
        finally:
            try:
                logging.shutdown()
            finally:
                os._exit(code)

    def _ended(self, member: Member, code: int, now: float) -> None:
        member.pid = 0
        if self.config.burst and code == 0:
            member.is_over = True
        if member.is_over or self._stop_by is not None:
            return
        member.failures = 0 if now - member.started_at > STEADY_SECONDS else member.failures + 1
        pause_seconds = min(RESTART_SECONDS * 2**member.failures, MAX_RESTART_SECONDS)
        member.not_before = now + pause_seconds
        logger.error(
            "worker %s %s, it is restarted in %g s", member.config.WORKER_NAME, reason(code), pause_seconds
        )

    def _stop_if_wanted(self) -> None:
        if self._signals.stops and self._stop_by is None:
            self._stop_by = self.clock() + self.config.GRACE + FAREWELL_SECONDS + 3 * PATIENCE_SECONDS
            os.close(self._end)
        if self._signals.stops_now and not self._was_hurried:
            self._was_hurried = True
            for member in self.members:
                if member.pid:
                    with suppress(ProcessLookupError):
                        os.kill(member.pid, signal.SIGQUIT)

    def _show_health(self) -> None:
        if not (file := self.config.HEALTH_FILE):
            return
        with suppress(OSError):
            oldest = min(os.stat(member.config.HEALTH_FILE).st_mtime for member in self.members)
            if time.time() - oldest < FRESH_SECONDS:
                Path(file).touch()
