"""Reports to Redis that a worker lives and what it runs. The reply has its orders."""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psutil

from queueing import __version__
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.monitoring.workers import Heard, beat, registration

from .processes import ChildProcess
from .shared_memory import SharedMemory

#: How often the memory of the processes is measured: the kernel walks their pages for it.
MEASURE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Birth:
    """The identity of one life of a worker among others of its name. The supervisor makes it."""

    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    at: float = field(default_factory=time.monotonic)


class Heartbeat:
    """The heartbeat of one worker. ``step`` is one beat."""

    def __init__(self, client: QueueClient, config: Config, memory: SharedMemory, birth: Birth) -> None:
        self.client, self.config, self.memory, self.birth = client, config, memory, birth
        self._memory: dict[int, int] = {}
        self._measure_at = 0.0
        self._round_trip_ms = 0.0
        self._is_quiet = False
        self.key = registration(config.WORKER_NAME, birth.token)
        #: Whether the supervisor was killed.
        self.is_lost = False

    def step(self, children: Iterable[ChildProcess], *, may_claim: bool = True) -> Heard:
        """Beat once, and pass on to the children whether they may claim. Raises ``QueueError``."""
        record = json.dumps(self._record(list(children)))
        began = time.monotonic()
        heard = beat(
            self.client.session,
            self.key,
            record,
            self.birth.token,
            asks_task_queues=self.config.takes_new_queues,
        )
        self._round_trip_ms = (time.monotonic() - began) * 1000
        self._is_quiet = heard.is_quiet or not may_claim
        for slot in self.memory.slots:
            slot.set_quiet(self._is_quiet)
        return heard

    def _record(self, children: list[ChildProcess]) -> dict[str, Any]:
        self._measure([self.birth.pid, os.getpid(), *(_pid(child) for child in children)])
        config = self.config
        return {
            "host": socket.gethostname(),
            "pid": self.birth.pid,
            "version": __version__,
            "token": self.birth.token,
            "uptime_ms": round((time.monotonic() - self.birth.at) * 1000),
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
        is_due = time.monotonic() >= self._measure_at
        self._memory = {
            pid: _memory_bytes(pid) if is_due or pid not in self._memory else self._memory[pid]
            for pid in pids
        }
        if is_due:
            self._measure_at = time.monotonic() + MEASURE_SECONDS


def _pid(child: ChildProcess) -> int:
    return child.process.pid if child.process else 0


def _memory_bytes(pid: int) -> int:
    """The memory of a process, with its part of shared memory if the system knows it; 0: gone."""
    try:
        process = psutil.Process(pid)
        try:
            return getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
        except psutil.AccessDenied:
            return process.memory_info().rss
    except psutil.Error:
        return 0
