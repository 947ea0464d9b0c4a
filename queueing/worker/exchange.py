"""One round trip between a child and Redis, and the number of messages that the child holds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.broker.leases import QueueLease, StandBy, look
from queueing.broker.outcomes import Outcome, parts
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session

from .shared_memory import Slot


@dataclass
class Exchange:
    """The calls of one round trip: first the settles, then a claim or a look (a check for due messages)."""

    calls: list[Call | QueueCall] = field(default_factory=list)
    settled: list[tuple[QueueLease, Sequence[Outcome]]] = field(default_factory=list)
    looks: Sequence[str] = ()
    claiming: QueueLease | None = None
    asked: int = 0

    def settle(self, lease: QueueLease, outcomes: Sequence[Outcome]) -> None:
        for part in parts(outcomes):
            self.settled.append((lease, part))
            self.calls.append(lease.settle(part))

    def look(self, session: Session, queues: Sequence[str]) -> None:
        self.looks = queues
        self.calls.append(look(session, queues))

    def claim(self, lease: QueueLease, count: int, *, suspects: str, stand_by: StandBy) -> None:
        self.claiming, self.asked = lease, count
        settling = sum(len(part) for settled, part in self.settled if settled is lease)
        self.calls.append(lease.claim(count, suspects=suspects, settling=settling, stand_by=stand_by))


class Held:
    """Counts the messages that a child has claimed but not settled, by queue. The keeper reads the result."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._counts: Counter[str] = Counter()
        #: How many claims Redis has answered.
        self.claims = 0

    def add(self, queue: str, count: int) -> None:
        self._counts[queue] += count

    def settled(self, queue: str, outcomes: Sequence[Outcome]) -> None:
        """Record that messages of ``queue`` are settled."""
        self.add(queue, -len(outcomes))
        self._slot.settled(outcome.id for outcome in outcomes)

    def show(self, exchange: Exchange | None = None) -> None:
        """Write to shared memory how many messages the child holds, and from which queues.

        If ``exchange`` has a claim, every message that this claim may return is counted, because Redis leases
        these messages before its reply arrives.
        """
        queues = {queue for queue, count in self._counts.items() if count}
        asked = 0
        if exchange and exchange.claiming:
            queues.add(exchange.claiming.queue)
            asked = exchange.asked
        self._slot.hold(self._counts.total() + asked, self.claims, queues)
