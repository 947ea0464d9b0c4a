"""Extends the leases of a worker's children, gives back what a dead one held, and tells who is alive.

It is a process of its own, because a thread beside the handlers starves while C code holds the
interpreter lock. In threads of their own the recorder brings outcomes into the database, the sweeper
tidies up and the scheduler sends what is due, so a database that stalls, or a queue that is large, never
delays a lease.
"""

import json
import logging
import math
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from queueing import periodic
from queueing.broker import leases, rsmq_values, task_queues
from queueing.broker.refusals import PERMISSIONS
from queueing.client import QueueClient
from queueing.client.default import connect, create_configured_queues, use_client
from queueing.conf import Config
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.monitoring.workers import forget_worker

from . import processes
from .guard import Guard
from .heartbeat import Birth, Heartbeat
from .reaper import Death, Reaper
from .recorder import Recorder
from .sampler import Sampler
from .scheduler import Scheduler
from .shared_memory import Running, SharedMemory, Slot
from .steady_log import Aside
from .sweeper import Sweeper
from .waker import Waker, readable

logger = logging.getLogger("queueing.worker")

#: How often the worker's heartbeat is written: so long it may take until it hears that it is to be quiet.
BEAT_SECONDS = 6.0
#: The longest time between two turns, whatever the lease.
TURN_SECONDS = 10.0
#: So soon after a child is born it is told of.
BIRTH_SECONDS = 0.5
#: The longest pause before an act that has failed is tried again.
RETRY_SECONDS = 0.5
#: How long the outcomes of the last jobs may take to the database when the worker stops.
FAREWELL_SECONDS = 3.0
#: How long the last lines of its log may take.
LOG_SECONDS = 0.5
#: A child ends by itself so long after its grace time if its supervisor is gone. Later the keeper kills it.
ORPHAN_SECONDS = 2.0
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

    def kill(self) -> None:
        with suppress(psutil.NoSuchProcess):
            if self.process and self.process.is_running():
                processes.kill(self.process.pid)

    def kill_programs(self) -> None:
        """Kill what it has left behind, now that it is gone, if it did not end by itself."""
        if self.process and self.slot.held:
            processes.kill_programs(self.process.pid)

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

    def __init__(
        self,
        config: Config,
        *,
        memory: SharedMemory,
        orders: int,
        waker: Waker,
        new_queues: Waker,
        birth: Birth,
    ) -> None:
        self.config, self.memory, self.orders = config, memory, orders
        self.waker, self.new_queues = waker, new_queues
        self.client = connect(config, connections=1)
        use_client(self.client)
        self.turn_seconds = min(config.LEASE / 4, TURN_SECONDS)
        self.children: dict[str, Kept] = {}
        self._reaper = Reaper(self.client, config, memory.queues)
        self._stops = self._greeted = False
        #: Since when the supervisor is gone, and until when what its children held is given back.
        self._orphan_since: float | None = None
        self._give_up_at = math.inf
        self._said = b""
        self._next_heartbeat = 0.0
        name = f"{config.WORKER_NAME}-{birth.token}-{os.getpid()}"
        self._recorder = Recorder(self.client, config, name=name)
        self._sweeper = Sweeper(self.client, memory.queues)
        self._beat = Heartbeat(self.client, config, memory, birth)
        self._sampler = Sampler(self.client, memory.queues)
        self._scheduler = Scheduler(self.client, periodic.of_queues(config.queues))
        # Each for itself: one that fails must not keep the others from the leases.
        acts = (self._look_after_orphans, self._greet, self._extend, self._give_back, self._heartbeat)
        pause_seconds = min(RETRY_SECONDS, self.turn_seconds)
        self._acts = [(Guard("keeper", max_pause_seconds=pause_seconds), act) for act in acts]
        self._guard, self._sampling = Guard("keeper"), Guard("sampler")

    def run(self) -> None:
        """Keep until the supervisor says that all children are gone, or all are and so is it."""
        # A lease must not wait for a line of the log.
        log = Aside()
        threading.Thread(target=self._recorder.run, name="recorder", daemon=True).start()
        threading.Thread(target=self._sweeper.run, name="sweeper", daemon=True).start()
        if self._scheduler.plans and not self.config.burst:
            threading.Thread(target=self._scheduler.run, name="scheduler", daemon=True).start()
        pause_seconds = self.step()
        while not self._is_over():
            if self._guard.attempt(partial(self._wait, pause_seconds)) < math.inf:
                time.sleep(RETRY_SECONDS)
            pause_seconds = self.step()
        Guard("keeper").attempt(self._leave)
        log.wait(LOG_SECONDS)

    def _is_over(self) -> bool:
        return self._stops and (self._reaper.is_done or time.monotonic() > self._give_up_at)

    @property
    def _is_orphan(self) -> bool:
        return self._orphan_since is not None

    def step(self) -> float:
        """One turn: give back, extend, show that we live. Returns the seconds until the next one."""
        *waits, beat_seconds = [guard.attempt(act) for guard, act in self._acts]
        if beat_seconds == math.inf:
            beat_seconds = self._next_heartbeat - time.monotonic()
        return max(0.0, min(self.turn_seconds, beat_seconds, *waits))

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
        warn_of_permissions(self.client)
        warn_of_eviction(self.client)
        self._greeted = True

    def _give_back(self) -> None:
        self._reaper.step()
        if self._reaper.has_recorded:
            self._reaper.has_recorded = False
            self._recorder.wake()

    def _extend(self) -> None:
        names = [child.name for child in self.children.values() if child.slot.held and not child.is_stopped]
        if names:
            for queue in self.memory.queues:
                self._extend_queue(queue, names)

    def _extend_queue(self, queue: str, names: list[str]) -> None:
        try:
            for id in leases.extend(self.client.session, self.config, queue, names):
                logger.warning("%s %s lease lost: another receiver has it", queue, id)
        except QueueUnavailable:
            raise
        except BaseException as error:
            # It is about this queue. The leases of the others are extended.
            self._guard.report(error)

    def _heartbeat(self) -> None:
        if time.monotonic() >= self._next_heartbeat:
            # First: a worker lives while Redis is away, and a restart does not bring Redis back.
            if not self._is_orphan:
                self._show_health()
            heard = self._beat.step(self.children.values(), may_claim=self._recorder.is_owner)
            self._next_heartbeat = time.monotonic() + BEAT_SECONDS
            self._take(heard.task_queues)
            if heard.queues is not None:
                self._sampling.attempt(partial(self._sampler.step, heard.queues))

    def _take(self, sent_to: Sequence[str]) -> None:
        """Tell the supervisor the queues among these that are new, with their siblings."""
        named = [queue for queue in sent_to if rsmq_values.QNAME.fullmatch(queue)]
        for queue in task_queues.with_siblings(named):
            if queue not in self.memory.queues:
                try:
                    os.write(self.new_queues.write_end(), f"{queue}\n".encode())
                except BlockingIOError:
                    return  # The supervisor reads the others first.
                self.memory.add_queues([queue])

    def _show_health(self) -> None:
        if self.config.HEALTH_FILE:
            try:
                Path(self.config.HEALTH_FILE).touch()
            except OSError as error:
                logger.warning("the health file cannot be touched: %s", error)

    def _look_after_orphans(self) -> None:
        if self._orphan_since is None:
            return
        grace_left = self._orphan_since + self.config.GRACE - time.monotonic()
        for child in list(self.children.values()):
            if child.is_gone:
                child.kill_programs()
                started = [] if grace_left < 0 else [running.id for running in child.slot.running()]
                self._died(Death(child.name, started, "it ended after its supervisor had died"))
            elif grace_left < -ORPHAN_SECONDS:
                child.kill()
        if not self.children and self._give_up_at == math.inf:
            self._stops = True
            # Then the leases end, and others find by them what could not be given back.
            self._give_up_at = time.monotonic() + self.config.LEASE

    # --- what the supervisor says -------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        sources = [self.waker.fileno()] if self._is_orphan else [self.waker.fileno(), self.orders]
        ready = readable(sources, min(seconds, 0.2) if self._is_orphan else seconds)
        if self.waker.fileno() in ready:
            self.waker.clear()
            self._recorder.wake()
        if self.orders in ready:
            self._hear(os.read(self.orders, 65536))

    def _hear(self, said: bytes) -> None:
        if not said:
            self._orphan_since, self._next_heartbeat = time.monotonic(), 0.0
            self._beat.is_lost = True
            return
        *lines, self._said = (self._said + said).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["order"] == "born":
                self._born(order["child"], order["pid"], order["slot"])
            elif order["order"] == "died":
                overdue = [Running(**running) for running in order["overdue"]]
                self._died(Death(order["child"], order["started"], order["reason"], overdue))
            else:
                self._stops = True

    def _born(self, name: str, pid: int, slot: int) -> None:
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            process = None
        self.children[name] = Kept(name, process, self.memory.slots[slot])
        self._next_heartbeat = min(self._next_heartbeat, time.monotonic() + BIRTH_SECONDS)

    def _died(self, death: Death) -> None:
        self.children.pop(death.child, None)
        self._reaper.add(death)

    def _leave(self) -> None:
        # First from the list: a keeper whose database hangs is killed while it records.
        self._sign_off()
        self._recorder.finish(BURST_FAREWELL_SECONDS if self.config.burst else FAREWELL_SECONDS)

    def _sign_off(self) -> None:
        try:
            if self.config.HEALTH_FILE:
                with suppress(OSError):  # It has been warned of.
                    Path(self.config.HEALTH_FILE).unlink(missing_ok=True)
            if self._is_orphan:
                self._beat.step([])
            else:
                forget_worker(self.client.session, self._beat.key)
        except QueueError as error:
            logger.debug("keeper: %s", error)


def warn_of_permissions(client: QueueClient) -> None:
    """A script that is refused a command stops halfway: say at the start which ones are missing."""
    if refused := client.session.refused_commands():
        logger.error("Redis refuses %s: %s", ", ".join(refused), PERMISSIONS)


def warn_of_eviction(client: QueueClient) -> None:
    """A Redis that evicts keys loses whole queues: say so where it does, or could not be asked."""
    policy = client.session.eviction_policy()
    if policy is None:
        logger.warning(
            "Could not ask Redis for its maxmemory-policy: it must be noeviction, or queues get lost"
        )
    elif policy != "noeviction":
        logger.warning(
            "Redis' maxmemory-policy is %s: when it is full it will drop whole queues. Set it to noeviction",
            policy,
        )
