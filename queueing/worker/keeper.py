"""Extends the leases of a worker's children, gives back what a dead one held, and tells who is alive.

It is a process of its own, because a thread beside the handlers starves while C code holds the
interpreter lock. In threads of their own the recorder brings outcomes into the database, the sweeper
tidies up and the scheduler sends what is due, so a database that stalls, or a queue that is large, never
delays a lease.
"""

import json
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psutil

from .. import holdings, periodic
from ..client import QueueClient
from ..conf import Conf
from ..connections import connect, use_client
from ..exceptions import QueueError, QueueUnavailable
from ..provision import create_configured_queues
from .board import Board, Slot
from .options import Options
from .pipes import Bell
from .recorder import Recorder
from .scheduler import Scheduler
from .sweeper import Sweeper

logger = logging.getLogger("queueing.worker")

#: How often the worker's heartbeat is written.
BEAT_SECONDS = 10.0
#: How long the outcomes of the last jobs may take to the database when the worker stops.
FAREWELL_SECONDS = 3.0
#: A burst has nothing to hurry for.
BURST_FAREWELL_SECONDS = 120.0


@dataclass
class Kept:
    """A child as the keeper knows it."""

    name: str
    process: psutil.Process | None
    slot: Slot

    @property
    def is_gone(self) -> bool:
        try:
            return self.process is None or self.process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    @property
    def is_stopped(self) -> bool:
        """A frozen process does not work, so it must not keep its messages."""
        try:
            return self.process is not None and self.process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False


class Keeper:
    """The keeper of one worker.

    ``orders`` is the read end of a pipe on which the supervisor writes a line of JSON for each child
    that is born or has died; its end means that the supervisor has.
    """

    def __init__(self, conf: Conf, options: Options, *, board: Board, orders: int, bell: Bell) -> None:
        self.conf, self.options, self.board, self.orders, self.bell = conf, options, board, orders, bell
        self.client = connect(conf, connections=1)
        use_client(self.client)
        self.beat_seconds = min(conf.LEASE / 4, BEAT_SECONDS)
        self.children: dict[str, Kept] = {}
        self._to_abandon: list[tuple[str, list[str], str]] = []
        self._is_orphan = self._stops = self._greeted = False
        self._said = b""
        self._next_heartbeat = 0.0
        self._recorder = Recorder(self.client, conf, name=f"{options.name}-{os.getpid()}")
        self._sweeper = Sweeper(self.client, options.queues)
        self._scheduler = Scheduler(self.client, periodic.of_queues(options.queues))

    def run(self) -> None:
        """Keep until the supervisor says that all children are gone, or all are and so is it."""
        threading.Thread(target=self._recorder.run, name="recorder", daemon=True).start()
        threading.Thread(target=self._sweeper.run, name="sweeper", daemon=True).start()
        if self._scheduler.plans and not self.options.burst:
            threading.Thread(target=self._scheduler.run, name="scheduler", daemon=True).start()
        pause_seconds = self.step()
        while not (self._stops and not self._to_abandon):
            self._wait(pause_seconds)
            pause_seconds = self.step()
        self._leave()

    def step(self) -> float:
        """One turn: give back, extend, show that we live. Returns the seconds until the next one."""
        if self._is_orphan:
            self._look_after_orphans()
        # Each for itself: a queue on which one of them fails must not end the leases of the others.
        done = [self._tried(act) for act in (self._greet, self._extend, self._abandon, self._heartbeat)]
        return self.beat_seconds if all(done) else min(0.5, self.beat_seconds)

    def _tried(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except QueueUnavailable as error:
            logger.debug("keeper: %s", error)
        except QueueError as error:
            logger.warning("keeper: %s", error)
        else:
            return True
        return False

    # --- one turn -----------------------------------------------------------------------------

    def _greet(self) -> None:
        if self._greeted:
            return
        try:
            create_configured_queues(self.client)
        except QueueUnavailable:
            raise  # It is tried again.
        except QueueError as error:
            logger.error("the configured queues could not be made: %s", error)
        warn_of_eviction(self.client)
        self._greeted = True

    def _abandon(self) -> None:
        while self._to_abandon:
            child, started, reason = self._to_abandon[0]
            for queue in self.options.queues:
                self._abandon_in(queue, child, started, reason)
            self._to_abandon.pop(0)

    def _abandon_in(self, queue: str, child: str, started: list[str], reason: str) -> None:
        try:
            count = holdings.abandon(self.client, self.conf, queue, child, started=started, reason=reason)
        except QueueUnavailable:
            raise  # It is tried again.
        except QueueError as error:
            logger.error("%s: %s; what %s held is given back when its lease ends", queue, error, child)
            return
        if count:
            logger.warning("%s gave back %d messages of %s: %s", child, count, queue, reason)
            self._recorder.wake()

    def _extend(self) -> None:
        names = [child.name for child in self.children.values() if child.slot.held and not child.is_stopped]
        if names:
            for queue in self.options.queues:
                self._tried(partial(self._extend_queue, queue, names))

    def _extend_queue(self, queue: str, names: list[str]) -> None:
        for id in holdings.extend(self.client, self.conf, queue, names):
            logger.warning("%s %s lease lost: another receiver has it", queue, id)

    def _heartbeat(self) -> None:
        if time.monotonic() >= self._next_heartbeat:
            running = {child.name: list(child.slot.running()) for child in self.children.values()}
            record = {"queues": self.options.queues, "threads": self.options.threads, "running": running}
            self.client.beat(self.options.name, json.dumps(record))
            self._next_heartbeat = time.monotonic() + BEAT_SECONDS

    def _look_after_orphans(self) -> None:
        for child in list(self.children.values()):
            if child.is_gone:
                self._died(child.name, list(child.slot.running()), "it ended after its supervisor had died")
        self._stops = not self.children

    # --- what the supervisor says -------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        sources = [self.bell.fileno()] if self._is_orphan else [self.bell.fileno(), self.orders]
        ready, _, _ = select.select(sources, [], [], min(seconds, 0.2) if self._is_orphan else seconds)
        if self.bell.fileno() in ready:
            self.bell.silence()
            self._recorder.wake()
        if self.orders in ready:
            self._hear(os.read(self.orders, 65536))

    def _hear(self, said: bytes) -> None:
        if not said:
            self._is_orphan = True
            return
        *lines, self._said = (self._said + said).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["order"] == "born":
                self._born(order["child"], order["pid"], order["slot"])
            elif order["order"] == "died":
                self._died(order["child"], order["started"], order["reason"])
            else:
                self._stops = True

    def _born(self, name: str, pid: int, slot: int) -> None:
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            process = None
        self.children[name] = Kept(name, process, self.board.slots[slot])

    def _died(self, name: str, started: list[str], reason: str) -> None:
        self.children.pop(name, None)
        self._to_abandon.append((name, started, reason))

    def _leave(self) -> None:
        self._recorder.finish(BURST_FAREWELL_SECONDS if self.options.burst else FAREWELL_SECONDS)
        try:
            self.client.forget_worker(self.options.name)
        except QueueError as error:
            logger.debug("keeper: %s", error)


def warn_of_eviction(client: QueueClient) -> None:
    """A Redis that evicts keys loses whole queues: say so where it does, or could not be asked."""
    policy = client.eviction_policy()
    if policy is None:
        logger.warning(
            "Could not ask Redis for its maxmemory-policy: it must be noeviction, or queues get lost"
        )
    elif policy != "noeviction":
        logger.warning(
            "Redis' maxmemory-policy is %s: when it is full it will drop whole queues. Set it to noeviction",
            policy,
        )
