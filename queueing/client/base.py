"""What all parts of the client share."""

from collections.abc import Callable, Iterator
from typing import Any

from redis import Redis
from redis import exceptions as driver

from queueing.broker import decode, refusals
from queueing.broker.idempotency import Senders
from queueing.broker.keys import Keys, dead_letter_queue
from queueing.broker.scripts import ScriptRunner
from queueing.broker.subscription import AWAY
from queueing.broker.wakeups import WakeUps
from queueing.exceptions import MessageTooLong, QueueError, QueueExists, QueueNotFound, ScheduleNotFound
from queueing.resilience.process_state import ProcessState

#: Messages per script call: Lua's stack and everybody else's waiting time are bounded.
BATCH = 1000
#: Bytes of bodies per script call.
BATCH_BYTES = 1_000_000
#: Keys that one step of a scan looks at.
SCAN_STEP = 1000
SCAN_REFUSED = "Redis refuses SCAN to its user, so what deleted queues left is not tidied up"
#: A dead-letter queue that is made forgets its messages after so many seconds.
DEAD_RETENTION_SECONDS = 30 * 86_400

#: Called with how many are done and how many there were at the start, after each step. It may raise
#: to end the work there.
Progress = Callable[[int, int], None]

_BY_NAME = {error.name: error for error in (QueueNotFound, QueueExists, MessageTooLong, ScheduleNotFound)}


class ClientBase:
    """Connection, keys and scripts."""

    def __init__(self, redis: Redis, ns: str = "rsmq") -> None:
        self.redis = redis
        self.keys = Keys(ns)
        self.scripts = ScriptRunner(redis, self.keys)
        self._wakeups = ProcessState(lambda: WakeUps(redis))
        #: The queues of tasks that this client has made, or found, and noted.
        self.task_queues: set[str] = set()
        self._senders = Senders()
        self._dead_letter_queues: dict[str, str] = {}

    @property
    def wakeups(self) -> WakeUps:
        """The listener of those threads of this process that wait."""
        return self._wakeups.get()

    def dead_letter_queue(self, qname: str) -> str:
        """The name of the dead-letter queue of ``qname``, as far as this client knows."""
        return self._dead_letter_queues.get(qname) or dead_letter_queue(qname)

    def learn_dead_letter_queue(self, qname: str, name: str) -> None:
        """Redis has said that the dead letters of ``qname`` go to ``name``."""
        self._dead_letter_queues[qname] = name

    def _queue_keys(self, qname: str) -> list[str]:
        """The first eight keys of most scripts (lua/lib/queue.lua)."""
        return self.keys.of_queue(qname, self.dead_letter_queue(qname))

    def _lane_keys(self, qname: str) -> list[str]:
        return [*self._queue_keys(qname), self.keys.leases(qname), self.keys.held()]

    def _all_keys(self, qname: str) -> list[str]:
        """What goes with a queue: those, and what else is ours beside it."""
        keys = self.keys
        return [*self._lane_keys(qname), keys.metrics(qname), keys.progress(qname), keys.waking(qname)]

    def _waking_keys(self, qname: str) -> list[str]:
        return [*self._queue_keys(qname), self.keys.waking(qname)]

    def _run_burying(
        self, script: str, keys: Callable[[str], list[str]], qname: str, *args: Any, repeatable: bool
    ) -> list[Any]:
        """Run a script that may bury; again, with the right keys, where the dead letters go elsewhere.

        Its third to fifth argument are the name of the dead-letter queue, the retention of a new one
        and the name of the queue; ``args`` are those around them.
        """
        while True:
            burial = (self.dead_letter_queue(qname), DEAD_RETENTION_SECONDS, qname)
            reply = self.scripts.run(
                script, keys(qname), *args[:2], *burial, *args[2:], repeatable=repeatable
            )
            if reply[0] != b"deadLetterQueue":
                return checked(reply)
            self.learn_dead_letter_queue(qname, reply[1].decode())

    def _scan(self, pattern: str) -> Iterator[str]:
        """The keys of the namespace that fit a pattern, each at least once and without its beginning."""
        begins = f"{self.keys.ns}:"
        literally = "".join(f"\\{character}" if character in "*?[]\\^" else character for character in begins)
        try:
            for key in self.redis.scan_iter(match=f"{literally}{pattern}", count=SCAN_STEP):
                yield (decode.text(key) if isinstance(key, bytes) else key).removeprefix(begins)
        except driver.NoPermissionError as error:
            raise QueueError(f"{SCAN_REFUSED} ({error})") from error
        except AWAY as error:
            raise refusals.unanswered(error) from error

    def _find_queue(self, qname: str) -> None:
        """``QueueNotFound`` where it is not there.

        RSMQ looks for the queue before it looks at the other parameters; ours are looked at first,
        and before one of them is refused this is asked.
        """
        checked(self.scripts.run("attributes", self._queue_keys(qname)))


def checked(reply: list[Any]) -> list[Any]:
    """What follows the ``ok`` of a reply, or the error that stands in its place."""
    name = reply[0].decode()
    if name == "ok":
        return reply[1:]
    raise _BY_NAME[name]()


def steps(count: int) -> Iterator[int]:
    """Cut a number into bounded steps."""
    while count > 0:
        yield min(count, BATCH)
        count -= BATCH
