"""The heartbeat reports to Redis that a worker is alive and what it runs. Redis' reply contains orders."""

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from queueing import __version__
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.monitoring.workers import Heard, beat, forget_worker, registration

from .processes import ChildProcess
from .server_clock import Clock
from .shared_memory import SharedMemory

logger = logging.getLogger("queueing.worker")

#: How often the heartbeat is sent. The reply has the orders of the console, such as to claim nothing.
BEAT_SECONDS = 6.0
#: How often the memory of the processes is measured. A measurement is slow: the kernel walks all pages.
MEASURE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Birth:
    """Identifies one run of a worker among all runs with the same worker name. The supervisor creates it."""

    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    at: float = field(default_factory=time.monotonic)


class Heartbeat:
    """The heartbeat of one worker. ``step`` sends it when it is due, and ``leave`` ends it.

    ``children`` has the child processes to report, by name. ``on_reply`` is called with each reply.
    """

    def __init__(
        self,
        client: QueueClient,
        config: Config,
        *,
        memory: SharedMemory,
        birth: Birth,
        children: Mapping[str, ChildProcess],
        on_reply: Callable[[Heard], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self.client, self.config, self.memory, self.birth = client, config, memory, birth
        self.children, self.on_reply, self.clock = children, on_reply, clock
        #: When the next heartbeat is due (``time.monotonic``).
        self.due_at = 0.0
        #: Whether the keeper allows the children to claim. The console can forbid it, too.
        self.may_claim = True
        #: Whether the supervisor was killed.
        self.is_lost = False
        self._memory: dict[int, int] = {}
        self._measure_at = 0.0
        self._round_trip_ms = 0.0
        self._is_quiet = False
        self._key = registration(config.WORKER_NAME, birth.token)

    def step(self, now: float) -> float:
        """Send the heartbeat if it is due. Returns the seconds until the next one. Raises ``QueueError``."""
        if now >= self.due_at:
            # Before the call of Redis: an outage of Redis must not make a probe restart the worker.
            if not self.is_lost:
                self._show_health()
            heard = self._beat()
            self.due_at = self.clock() + BEAT_SECONDS
            self.on_reply(heard)
        return self.due_at - now

    def leave(self) -> None:
        """Remove the worker from the list of workers.

        If the worker's supervisor was killed, mark the worker as lost instead.
        """
        if self.config.HEALTH_FILE:
            with suppress(OSError):  # A warning was logged before.
                Path(self.config.HEALTH_FILE).unlink(missing_ok=True)
        try:
            if self.is_lost:
                self._beat()
            else:
                forget_worker(self.client.session, self._key)
        except QueueError as error:
            logger.debug("keeper: %s", error)

    def _beat(self) -> Heard:
        """Send one heartbeat. Its reply decides whether the children are ordered to claim or to pause."""
        record = json.dumps(self._record(list(self.children.values())))
        token, asks = self.birth.token, self.config.takes_new_queues
        began = self.clock()
        heard = beat(self.client.session, self._key, record, token, asks_task_queues=asks)
        self._round_trip_ms = (self.clock() - began) * 1000
        self._is_quiet = heard.is_quiet or not self.may_claim
        for slot in self.memory.slots:
            slot.set_quiet(self._is_quiet)
        return heard

    def _show_health(self) -> None:
        if self.config.HEALTH_FILE:
            try:
                Path(self.config.HEALTH_FILE).touch()
            except OSError as error:
                logger.warning("the health file cannot be touched: %s", error)

    def _record(self, children: list[ChildProcess]) -> dict[str, Any]:
        self._measure([self.birth.pid, os.getpid(), *(_pid(child) for child in children)])
        config = self.config
        return {
            "host": socket.gethostname(),
            "pid": self.birth.pid,
            "version": __version__,
            "token": self.birth.token,
            "uptime_ms": round((self.clock() - self.birth.at) * 1000),
            "queues": list(self.memory.queues),
            "processes": config.PROCESSES,
            "threads": config.THREADS,
            "memory_bytes": sum(self._memory.values()),
            "round_trip_ms": round(self._round_trip_ms, 3),
            "quiet": self._is_quiet,
            "lost": self.is_lost,
            "children": [self._child(child) for child in children],
        }

    def _child(self, child: ChildProcess) -> dict[str, Any]:
        running = [
            {"id": run.id, "queue": self._queue(run.queue), "started_ms": round(run.started_ms)}
            for run in child.slot.running()
        ]
        pid = _pid(child)
        return {
            "name": child.name,
            "pid": pid,
            "memory_bytes": self._memory.get(pid, 0),
            "running": running,
        }

    def _queue(self, number: int) -> str:
        return self.memory.queues[number] if number < len(self.memory.queues) else ""

    def _measure(self, pids: list[int]) -> None:
        is_due = self.clock() >= self._measure_at
        self._memory = {
            pid: _memory_bytes(pid) if is_due or pid not in self._memory else self._memory[pid]
            for pid in pids
        }
        if is_due:
            self._measure_at = self.clock() + MEASURE_SECONDS


def _pid(child: ChildProcess) -> int:
    return child.process.pid if child.process else 0


def _memory_bytes(pid: int) -> int:
    """The memory of a process in bytes, 0 if the process no longer exists.

    Memory that several processes share is divided among them. On systems that do not report these shares, it
    counts in full.
    """
    try:
        process = psutil.Process(pid)
        try:
            return getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
        except psutil.AccessDenied:
            return process.memory_info().rss
    except psutil.Error:
        return 0
