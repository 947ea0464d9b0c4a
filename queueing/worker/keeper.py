"""The keeper: extends the leases of a worker's children, gives back the messages of dead children, and sends
the heartbeat.

It is a separate process, because a thread of a child cannot run while C code in a handler holds the
interpreter lock. Recorder, relay, sweeper and scheduler have threads of their own. So a database that hangs,
or a large queue, never delays the extension of a lease.
"""

import json
import logging
import math
import os
import threading
import time
from collections.abc import Sequence
from functools import partial

import psutil

from queueing import periodic
from queueing.broker import leases, rsmq_values, task_queues
from queueing.broker.refusals import PERMISSIONS
from queueing.client import QueueClient
from queueing.client.default import connect, connect_all, create_configured_queues, use_client
from queueing.conf import Config, get_conf
from queueing.exceptions import QueueError, QueueUnavailable
from queueing.monitoring.store import sample_queues
from queueing.monitoring.workers import Heard
from queueing.transactional import databases

from .forwarder import Forwarder
from .guard import Guard
from .heartbeat import Birth, Heartbeat
from .logging import LogThread
from .processes import ChildProcess
from .reaper import Death, Reaper
from .recorder import GATHER_SECONDS, Recorder
from .relay import Relay
from .scheduler import Scheduler
from .server_clock import Clock
from .shared_memory import Running, SharedMemory
from .sweeper import Sweeper
from .waker import Waker, readable

logger = logging.getLogger("queueing.worker")

#: The longest time between two iterations of the loop, even with long leases.
TURN_SECONDS = 10.0
#: A new child is reported by a heartbeat after this time at the latest.
START_SECONDS = 0.5
#: The longest pause before an action that has failed is tried again.
RETRY_SECONDS = 0.5
#: How long a stopping worker may take to record its last outcomes: normally, and with ``--burst``.
FAREWELL_SECONDS, BURST_FAREWELL_SECONDS = 3.0, 120.0
#: How long a stopping keeper may take to print the last lines of its log.
LOG_SECONDS = 0.5
#: If the supervisor dies, its children end by themselves after their grace time. If a child still runs this
#: long after its grace time, the keeper kills it.
ORPHAN_SECONDS = 2.0


class Keeper:
    """The keeper of one worker.

    ``orders`` is the read end of a pipe to which the supervisor writes a line of JSON for each child that has
    started or ended. If the pipe is closed, the supervisor has died. Children use ``waker`` to wake the
    keeper when there are outcomes to record. ``new_queues`` is a pipe to the supervisor, into which the
    keeper writes the names of queues that receive their first task.
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
        clock: Clock = time.monotonic,
    ) -> None:
        self.config, self.memory, self.orders = config, memory, orders
        self.waker, self.new_queues, self.clock = waker, new_queues, clock
        self.client = connect(config, connections=1)
        use_client(connect_all(get_conf(), self.client))
        self.turn_seconds = min(config.LEASE / 4, TURN_SECONDS)
        self.children: dict[str, ChildProcess] = {}
        self._reaper = Reaper(self.client, config, memory.queues)
        self._is_stopping = self._has_prepared = False
        #: When the supervisor died, and when the keeper stops trying to give back the children's messages.
        self._orphan_since: float | None = None
        self._give_up_at = math.inf
        #: The beginning of an order that has not arrived completely.
        self._unread = b""
        self._next_extension, self._recorder_woken_at = 0.0, -math.inf
        name = f"{config.WORKER_NAME}-{birth.token}-{os.getpid()}"
        self._recorder = Recorder(self.client, config, name=name)
        self._sweeper = Sweeper(self.client, memory.queues)
        self._heartbeat = Heartbeat(
            self.client, config, memory=memory, birth=birth, children=self.children,
            on_reply=self._read_reply, clock=clock,
        )  # fmt: skip
        self._scheduler = Scheduler(self.client, periodic.of_queues(config.queues))
        self._forwarder = Forwarder(self.client)
        self._relay = Relay(self.client, databases.searched(), name=name)
        # Each has its own guard: an error in one must not stop the others.
        acts = (self._end_orphans, self._prepare, self._extend, self._give_back, self._beat)
        pause_seconds = min(RETRY_SECONDS, self.turn_seconds)
        self._acts = [(Guard("keeper", max_pause_seconds=pause_seconds), act) for act in acts]
        self._guard, self._sampling = Guard("keeper"), Guard("sampler")

    def run(self) -> None:
        """Run until the supervisor orders the keeper to stop. If the supervisor has died, run until all
        children have ended, and their messages are given back or their leases have expired.
        """
        # A lease must not wait for a line of the log.
        log = LogThread()
        threading.Thread(target=self._recorder.run, name="recorder", daemon=True).start()
        threading.Thread(target=self._sweeper.run, name="sweeper", daemon=True).start()
        if self._scheduler.plans and not self.config.burst:
            threading.Thread(target=self._scheduler.run, name="scheduler", daemon=True).start()
        threading.Thread(target=self._forwarder.run, name="forwarder", daemon=True).start()
        threading.Thread(target=self._relay.run, name="relay", daemon=True).start()
        pause_seconds = self.step(self.clock())
        while not self._is_over():
            if self._guard.attempt(partial(self._wait, pause_seconds)) < math.inf:
                time.sleep(RETRY_SECONDS)
            pause_seconds = self.step(self.clock())
        Guard("keeper").attempt(self._leave)
        log.wait(LOG_SECONDS)

    def _is_over(self) -> bool:
        return self._is_stopping and (self._reaper.is_done or self.clock() > self._give_up_at)

    @property
    def _is_orphan(self) -> bool:
        return self._orphan_since is not None

    def step(self, now: float) -> float:
        """Do one iteration: extend leases, give back messages, send the heartbeat. Returns the seconds until
        the next iteration.
        """
        *waits, beat_seconds = [guard.attempt(partial(act, now)) for guard, act in self._acts]
        if beat_seconds == math.inf:
            beat_seconds = self._heartbeat.due_at - self.clock()
        extension_seconds = self._next_extension - self.clock()
        return max(0.0, min(self.turn_seconds, beat_seconds, *waits, max(RETRY_SECONDS, extension_seconds)))

    # --- one iteration ------------------------------------------------------------------------

    def _prepare(self, now: float) -> None:
        if self._has_prepared:
            return
        try:
            create_configured_queues(self.client)
        except QueueUnavailable:
            raise  # The next iteration tries again.
        except QueueError as error:
            logger.error("the configured queues could not be made: %s", error)
        warn_of_permissions(self.client)
        warn_of_eviction(self.client)
        self._has_prepared = True

    def _give_back(self, now: float) -> None:
        self._reaper.step()
        if self._reaper.has_recorded:
            self._reaper.has_recorded = False
            self._recorder.wake()
            self._forwarder.wake()

    def _extend(self, now: float) -> None:
        # Children also wake the keeper after a settle, so that it records the outcomes. Leases need not be
        # extended then.
        if now < self._next_extension:
            return
        holding = [child for child in self.children.values() if child.slot.held and not child.is_stopped]
        held = {
            queue: names
            for queue in self.memory.queues
            if (names := [child.name for child in holding if child.slot.holds_of(queue)])
        }
        extended = leases.extend(self.client.session, self.config, held) if held else {}
        self._next_extension = now + self.turn_seconds
        for queue, found in extended.items():
            if isinstance(found, QueueError):
                # The error concerns this queue only. The leases of the others are extended.
                self._guard.report(found)
                continue
            for id in found.lost:
                logger.warning("%s %s lease lost: another receiver has it", queue, id)
            for stop in found.stops:
                self.children[stop.child].slot.stop(stop)

    def _beat(self, now: float) -> None:
        self._heartbeat.may_claim = self._recorder.is_owner
        self._heartbeat.step(now)

    def _read_reply(self, heard: Heard) -> None:
        self._take(heard.task_queues)
        if heard.has_follow_ups:
            self._forwarder.wake()
        if heard.queues is not None:
            sample = partial(sample_queues, self.client.session, heard.queues, first=self.memory.queues)
            self._sampling.attempt(sample)
            self._sampling.attempt(partial(leases.free_lost_slots, self.client.session, self.config))

    def _take(self, sent_to: Sequence[str]) -> None:
        """Report new queues to the supervisor: the queues in ``sent_to``, to which tasks were sent, and their
        low-priority queues.
        """
        named = [queue for queue in sent_to if rsmq_values.QNAME.fullmatch(queue)]
        for queue in task_queues.with_siblings(named):
            if queue not in self.memory.queues:
                try:
                    os.write(self.new_queues.write_end(), f"{queue}\n".encode())
                except BlockingIOError:
                    return  # The supervisor reads the others first.
                self.memory.add_queues([queue])

    def _end_orphans(self, now: float) -> None:
        if self._orphan_since is None:
            return
        grace_left = self._orphan_since + self.config.GRACE - now
        for child in list(self.children.values()):
            if child.is_gone:
                child.kill_programs()
                running = [running.id for running in child.slot.running()]
                started = [] if grace_left < 0 else running + child.slot.ran()
                self._child_ended(Death(child.name, started, "it ended after its supervisor had died"))
            elif grace_left < -ORPHAN_SECONDS:
                child.kill()
        if not self.children and self._give_up_at == math.inf:
            self._is_stopping = True
            # Then the leases have expired, and other workers take the messages that were not given back.
            self._give_up_at = self.clock() + self.config.LEASE

    # --- orders -------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        # The recorder gathers outcomes after a wake-up. It needs no second wake-up in this time.
        gathers_seconds = self._recorder_woken_at + GATHER_SECONDS - self.clock()
        sources = [] if self._is_orphan else [self.orders]
        if gathers_seconds <= 0:
            sources.append(self.waker.fileno())
        else:
            seconds = min(seconds, gathers_seconds)
        ready = readable(sources, min(seconds, 0.2) if self._is_orphan else seconds)
        if self.waker.fileno() in ready:
            self._recorder_woken_at = self.clock()
            self.waker.clear()
            self._recorder.wake()
        if self.orders in ready:
            self._read_orders(os.read(self.orders, 65536))

    def _read_orders(self, text: bytes) -> None:
        if not text:
            self._orphan_since = self.clock()
            self._heartbeat.is_lost, self._heartbeat.due_at = True, 0.0
            return
        *lines, self._unread = (self._unread + text).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["order"] == "started":
                self._child_started(order["child"], order["pid"], order["slot"])
            elif order["order"] == "ended":
                overdue = [Running(**running) for running in order["overdue"]]
                self._child_ended(Death(order["child"], order["started"], order["reason"], overdue))
            else:
                self._is_stopping = True

    def _child_started(self, name: str, pid: int, slot: int) -> None:
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            process = None
        self.children[name] = ChildProcess(name, process, self.memory.slots[slot])
        self._heartbeat.due_at = min(self._heartbeat.due_at, self.clock() + START_SECONDS)

    def _child_ended(self, death: Death) -> None:
        self.children.pop(death.child, None)
        self._reaper.add(death)

    def _leave(self) -> None:
        # First leave the list of workers: a keeper whose database hangs is killed while it records.
        self._heartbeat.leave()
        self._recorder.finish(BURST_FAREWELL_SECONDS if self.config.burst else FAREWELL_SECONDS)


def warn_of_permissions(client: QueueClient) -> None:
    """Log the commands that the user of the Redis connection may not run.

    A script that needs one of these commands would stop halfway.
    """
    if refused := client.session.refused_commands():
        logger.error("Redis refuses %s: %s", ", ".join(refused), PERMISSIONS)


def warn_of_eviction(client: QueueClient) -> None:
    """Warn if Redis may evict keys, and so lose whole queues. Warn also if its eviction policy is unknown."""
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
