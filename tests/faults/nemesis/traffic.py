"""Senders and readers during the faults: this client, and a Node program on the same queues."""

import random
import threading
from collections.abc import Callable

from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueError
from tests.support.invariants import Invariants
from tests.wire.bridge import NodeSide, RsmqError

#: Share of each queue in percent.
WEIGHTS = {"ledger": 43, "brisk": 33, "sending": 6, "flaky": 6, "slow": 3, "raising": 2, "hard": 7}
#: Seconds of work of a message to ``slow`` -> its weight. The longest takes longer than a lease.
SLOW = {0.05: 6, 0.3: 3, 1: 2, 3: 1}
#: Seconds for which a message of each queue keeps a thread busy: the average, rounded up. The sum over a
#: second of traffic must stay below a third of the threads, because faults stop the others at times.
WORK_SECONDS = {
    **dict.fromkeys(WEIGHTS, 0.02),
    "sending": 0.06,
    "slow": sum(seconds * share for seconds, share in SLOW.items()) / sum(SLOW.values()),
}
PAUSE_SECONDS = 0.008
NODE_PAUSE_SECONDS = 0.1
#: One in POISON messages to ``hard`` kills its process, up to POISONS messages.
POISON, POISONS = 50, 4
#: Seconds for which a Node reader hides a received message.
VISIBILITY = 2


class Traffic:
    """A thread that repeats one step until it is stopped."""

    def __init__(self, name: str, turn: Callable[[], None], pause_seconds: float) -> None:
        self._turn, self._pause_seconds = turn, pause_seconds
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause_seconds):
                self._turn()
        except BaseException as error:
            self._error = error

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._error is not None:
            raise self._error


class Sender:
    """Sends to all queues over its own connection. A refused or unsure send is not repeated."""

    def __init__(self, redis_url: str, seed: int, invariants: Invariants) -> None:
        self.client = connect(Config(URL=redis_url, TIMEOUT=1), connections=1)
        self.chance, self.invariants = random.Random(f"sender {seed}"), invariants
        self.acknowledged = self.unsure = self.poisons = 0

    def turn(self) -> None:
        [queue] = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        try:
            message_id = self.client.send_message(queue, self._body(queue))
        except QueueError:
            self.unsure += 1
        else:
            self.invariants.sent(queue, [message_id])
            self.acknowledged += 1

    def _body(self, queue: str) -> str:
        if queue == "slow":
            [seconds] = self.chance.choices(list(SLOW), list(SLOW.values()))
            return f"{seconds:g} of work"
        if queue == "hard" and self.poisons < POISONS and self.chance.randrange(POISON) == 0:
            self.poisons += 1
            return "kill"
        return "nothing special"


class NodeProgram:
    """Sends to and receives from the workers' queues as RSMQ does. It deletes some messages and leaves
    others.
    """

    def __init__(self, node: NodeSide, seed: int, invariants: Invariants) -> None:
        self.node, self.invariants = node, invariants
        self.chance = random.Random(f"node {seed}")
        self.sent = self.taken = self.forgotten = 0

    def turn(self) -> None:
        queue = self.chance.choice(("ledger", "brisk"))
        try:
            for _ in range(3):
                message_id = self.node.call("sendMessage", qname=queue, message="from Node", realtime=True)
                self.invariants.sent(queue, [message_id])
                self.sent += 1
            received = self.node.call("receiveMessage", qname=queue, vt=VISIBILITY)
            if "id" in received:
                self._has(queue, received["id"], received["rc"])
        except RsmqError:
            return  # Redis is away; node's client reconnects by itself.

    def _has(self, queue: str, message_id: str, rc: int) -> None:
        if self.chance.random() < 0.3:
            self.forgotten += 1
            return
        # Report before the call: if the reply to a delete is lost, its effect is unknown.
        self.invariants.taken_elsewhere(message_id, rc)
        self.node.call("deleteMessage", qname=queue, id=message_id)
        self.taken += 1
