"""Memory shared by supervisor, keeper and children: what each child holds and runs right now.

What a child holds and runs only the child writes; the others read it, above all when it is dead. A
started message is marked before its code is called, so what the board does not show has certainly
not begun. The other way the supervisor and the keeper leave a child its orders.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from queueing.broker.leases import Delivery

from .queues import Queues
from .waker import Bell

#: Bytes of an id that fit; RSMQ's have 32.
ID_BYTES = 63
#: Held, claims; quiet, retires.
HEAD = struct.Struct("=II")
ORDERS = struct.Struct("=BB")
#: Length of the id, id, start by the server's clock in ms, end of the time limit by the monotonic clock,
#: time limit in seconds, rc, failed, crashed, number of the queue.
CELL = struct.Struct(f"=B{ID_BYTES}sdddqqqH")
LIMIT = struct.Struct("=dd")
_LIMIT_AT = struct.calcsize(f"=B{ID_BYTES}sd")


@dataclass(frozen=True, slots=True)
class Running:
    """A message that runs, as its child has marked it. ``queue`` is the number of its queue."""

    id: str
    queue: int
    rc: int
    failed: int
    crashed: int
    started_ms: float
    deadline: float
    limit_seconds: float


class Mark:
    """The cell of one thread: the message that it runs."""

    __slots__ = ("_memory", "_offset", "_queues")

    def __init__(self, memory: mmap.mmap, offset: int, queues: dict[str, int]) -> None:
        self._memory, self._offset, self._queues = memory, offset, queues

    def start(self, delivery: Delivery, started_ms: float) -> None:
        """Mark a delivery as begun. The length of its id comes last: a torn mark is no mark."""
        message = delivery.message
        id = message.id.encode("utf-8", "surrogateescape")[:ID_BYTES]
        CELL.pack_into(
            self._memory, self._offset, 0, id, started_ms, 0.0, 0.0,
            message.rc, delivery.failed, delivery.crashed, self._queues.get(delivery.queue, 0),
        )  # fmt: skip
        self._memory[self._offset] = len(id)

    def limit(self, deadline: float, seconds: float) -> None:
        """It may run until then, by the monotonic clock, which is ``seconds`` after its start."""
        LIMIT.pack_into(self._memory, self._offset + _LIMIT_AT, deadline, seconds)

    def finish(self) -> None:
        """Nothing runs here."""
        self._memory[self._offset] = 0

    def read(self) -> Running | None:
        """What is marked."""
        length, id, started_ms, deadline, limit, rc, failed, crashed, queue = CELL.unpack_from(
            self._memory, self._offset
        )
        if not length:
            return None
        text = id[:length].decode("utf-8", "surrogateescape")
        return Running(text, queue, rc, failed, crashed, started_ms, deadline, limit)


class Slot:
    """The part of one child: how much it holds, whether it ever claimed, what runs, what it is told."""

    def __init__(self, memory: mmap.mmap, offset: int, threads: int, queues: dict[str, int]) -> None:
        self._memory, self._offset, self._threads = memory, offset, threads
        self._orders = offset + HEAD.size
        cells = self._orders + ORDERS.size
        self.marks = [Mark(memory, cells + CELL.size * thread, queues) for thread in range(threads)]
        #: Rings when there is a new order to look at.
        self.bell = Bell()

    @staticmethod
    def size(threads: int) -> int:
        return HEAD.size + ORDERS.size + CELL.size * threads

    def clear(self) -> None:
        """Make it ready for a new child, which is told to be quiet if the last one was."""
        was_quiet = self.is_quiet
        self._memory[self._offset : self._offset + self.size(self._threads)] = bytes(self.size(self._threads))
        self._memory[self._orders] = was_quiet

    # --- what the child says ------------------------------------------------------------------

    def hold(self, count: int, claims: int) -> None:
        """The child holds so many messages, after so many claims that Redis answered."""
        HEAD.pack_into(self._memory, self._offset, count, claims)

    @property
    def held(self) -> int:
        return HEAD.unpack_from(self._memory, self._offset)[0]

    @property
    def claims(self) -> int:
        return HEAD.unpack_from(self._memory, self._offset)[1]

    def running(self) -> Iterator[Running]:
        """What is marked as running."""
        for mark in self.marks:
            if found := mark.read():
                yield found

    def overdue(self, now: float) -> list[Running]:
        """What runs past its time limit, by the monotonic clock."""
        return [found for found in self.running() if 0 < found.deadline <= now]

    # --- what the child is told ---------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether it may claim nothing for now."""
        return bool(self._memory[self._orders])

    def be_quiet(self, quiet: bool) -> None:
        """Claim nothing, or claim again."""
        if quiet != self.is_quiet:
            self._memory[self._orders] = quiet
            self.bell.ring()

    @property
    def retires(self) -> bool:
        """Whether it has to finish what it runs and end."""
        return bool(self._memory[self._orders + 1])

    def retire(self) -> None:
        """Claim no more, finish what runs, end."""
        self._memory[self._orders + 1] = 1
        self.bell.ring()


class Board:
    """One slot for each child of a worker on ``queues``. It must exist before the processes are forked."""

    def __init__(self, processes: int, threads: int, queues: tuple[str, ...] = ()) -> None:
        size = Slot.size(threads)
        self.queues = Queues(queues)
        memory = mmap.mmap(-1, size * processes)
        self.slots = [Slot(memory, index * size, threads, self.queues.numbers) for index in range(processes)]
