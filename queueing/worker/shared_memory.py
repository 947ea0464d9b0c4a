"""Memory shared by supervisor, keeper and children: what each child holds and runs, and the orders to each
child.

Each child writes what it holds and runs. Supervisor and keeper read this, especially after the child has
died. A child marks a message before it calls the handler, so a message without a mark has certainly not
started. The supervisor and the keeper write the orders.
"""

import json
import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

from queueing.broker.leases import Delivery, Stop

from .polling import MAX_IN_HAND
from .waker import WAKE, Waker

#: The most bytes of a message id that are stored. RSMQ's ids have 32.
ID_BYTES = 63
#: ``HEAD``: numbers of held messages and claims. ``ORDERS``: whether to claim nothing, and ``Recycle``.
HEAD = struct.Struct("=II")
ORDERS = struct.Struct("=BB")
#: Length of the id, id, start (ms of Redis' clock), deadline (monotonic clock), time limit in seconds,
#: receive count, number of failed attempts, number of crashes, index of the queue.
CELL = struct.Struct(f"=B{ID_BYTES}sdddqqqH")
#: How many queues can be added later with a bit of their own. Further queues share the last bit.
MORE_QUEUES = 64
LIMIT = struct.Struct("=dd")
_LIMIT_AT = struct.calcsize(f"=B{ID_BYTES}sd")
#: The delivery that is to be stopped by killing its process: length of the id, id, receive count.
STOP = struct.Struct(f"=B{ID_BYTES}sq")
CELL_SIZE = CELL.size + STOP.size
#: A message that has run, is not settled yet, and may not run again or is blamed: length of the id, id.
RAN = struct.Struct(f"=B{ID_BYTES}s")
#: The most bytes of a line that a pipe accepts either completely or not at all.
LINE_BYTES = 4096


class Recycle(IntEnum):
    """The reason why a child must finish its jobs and exit.

    ``OVERDUE`` means that one of its jobs is past its time limit or must be stopped. The child is killed when
    its other jobs have ended.
    """

    NO = 0
    OVERDUE = 1
    NEW_QUEUES = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A running message, read from the mark of its child. ``queue`` is the index of its queue.

    ``deadline`` is a time of ``time.monotonic``, 0 without a time limit. ``is_stopped`` is true if a user has
    requested to stop the message by killing its process.
    """

    id: str
    queue: int
    rc: int
    failed: int
    crashed: int
    started_ms: float
    deadline: float
    limit_seconds: float
    is_stopped: bool = False


class Mark:
    """The memory cell of one thread. It holds the message that the thread runs."""

    __slots__ = ("_memory", "_offset", "_queues", "may_run_again")

    def __init__(self, memory: mmap.mmap, offset: int, queues: dict[str, int]) -> None:
        self._memory, self._offset, self._queues = memory, offset, queues
        #: Whether the message may run again if its process dies. The processor sets it for each run.
        self.may_run_again = True

    def start(self, delivery: Delivery, started_ms: float) -> None:
        """Mark a delivery as started.

        The length of the message id is written last, so that a half-written mark is not valid.
        """
        message = delivery.message
        self.may_run_again = True
        id = message.id.encode("utf-8", "surrogateescape")[:ID_BYTES]
        CELL.pack_into(
            self._memory, self._offset, 0, id, started_ms, 0.0, 0.0,
            message.rc, delivery.failed, delivery.crashed, self._queues.get(delivery.queue, 0),
        )  # fmt: skip
        self._memory[self._offset] = len(id)

    def limit(self, deadline: float, seconds: float) -> None:
        """Store when the run must end (``deadline``, by ``time.monotonic``), and its limit in ``seconds``."""
        LIMIT.pack_into(self._memory, self._offset + _LIMIT_AT, deadline, seconds)

    def finish(self) -> None:
        """Remove the mark."""
        self._memory[self._offset] = 0

    def stop(self, id: str, rc: int) -> None:
        """Request that the delivery in this cell is stopped by killing its process. The keeper calls this
        method.

        The thread may soon run another delivery, so ``read`` compares the id and the receive count.
        """
        name = id.encode("utf-8", "surrogateescape")[:ID_BYTES]
        STOP.pack_into(self._memory, self._offset + CELL.size, len(name), name, rc)

    def read(self) -> Running | None:
        """The message that the thread runs, or ``None``."""
        length, id, started_ms, deadline, limit, rc, failed, crashed, queue = CELL.unpack_from(
            self._memory, self._offset
        )
        if not length:
            return None
        text = id[:length].decode("utf-8", "surrogateescape")
        stopped = STOP.unpack_from(self._memory, self._offset + CELL.size) == (length, id, rc)
        return Running(text, queue, rc, failed, crashed, started_ms, deadline, limit, stopped)


class Slot:
    """The memory of one child: what it holds, its number of claims, what it runs, and the orders to it.

    ``bits`` is the number of bits for queues. The bit of a queue is set while the child holds a message of
    that queue. The last bit may be shared by several queues.
    """

    def __init__(
        self, memory: mmap.mmap, offset: int, threads: int, queues: dict[str, int], bits: int
    ) -> None:
        self._memory, self._offset, self._queues = memory, offset, queues
        self._size, self._bits = self.size(threads, bits), bits
        self._orders = offset + HEAD.size
        self._held_queues = self._orders + ORDERS.size
        cells = self._held_queues + _bytes(bits)
        self.marks = [Mark(memory, cells + CELL_SIZE * thread, queues) for thread in range(threads)]
        first = cells + CELL_SIZE * threads
        self._ran_cells = range(first, first + RAN.size * _ran_max(threads), RAN.size)
        #: In the child: the messages that have run and are not settled yet.
        self._unsettled: set[str] = set()
        self._is_blaming = False
        #: In the child: the used cells by message id, and the free cells.
        self._used_cells: dict[str, int] = {}
        self._free_cells = list(self._ran_cells)
        #: Wakes the child for a new order. Its pipe also carries a line of JSON for each delivery to stop.
        self.waker = Waker()

    @staticmethod
    def size(threads: int, bits: int) -> int:
        return HEAD.size + ORDERS.size + _bytes(bits) + CELL_SIZE * threads + RAN.size * _ran_max(threads)

    def clear(self) -> None:
        """Reset the slot for a new child. An order to the previous child to claim nothing is kept."""
        was_quiet = self.is_quiet
        self._memory[self._offset : self._offset + self._size] = bytes(self._size)
        self._memory[self._orders] = was_quiet

    # --- written by the child -----------------------------------------------------------------

    def hold(self, count: int, claims: int, queues: Iterable[str] = ()) -> None:
        """Store the figures of the child: it holds ``count`` messages in total, all of them from ``queues``,
        and Redis has answered ``claims`` claims of the child.
        """
        HEAD.pack_into(self._memory, self._offset, count, claims)
        mask = 0
        for queue in queues:
            mask |= 1 << self._bit(queue)
        end = self._held_queues + _bytes(self._bits)
        self._memory[self._held_queues : end] = mask.to_bytes(_bytes(self._bits), "little")

    @property
    def ran_room(self) -> int:
        """How many further messages other processes can read by ``ran``."""
        return len(self._free_cells)

    def add_ran(self, id: str, *, may_run_again: bool) -> None:
        """Record until ``settled`` that a message has run. If it may not run again, other processes read it.

        The child claims no more messages than can be recorded (``ran_room``).
        """
        self._unsettled.add(id)
        if self._is_blaming or not may_run_again:
            self._show_ran(id)

    def blame(self) -> None:
        """Count the end of this process as a crash of each message that has run and is not settled.

        This includes the messages that still run, and end before the process does. If queues are broken,
        there may be more messages than cells: the others are given back without a crash.
        """
        self._is_blaming = True
        for id in list(self._unsettled):
            self._show_ran(id)

    def _show_ran(self, id: str) -> None:
        if id not in self._used_cells and self._free_cells:
            self._used_cells[id] = cell = self._free_cells.pop()
            name = id.encode("utf-8", "surrogateescape")[:ID_BYTES]
            RAN.pack_into(self._memory, cell, len(name), name)

    def settled(self, ids: Iterable[str]) -> None:
        """Delete the records of ``add_ran`` for messages that are settled."""
        for id in ids:
            self._unsettled.discard(id)
            if cell := self._used_cells.pop(id, None):
                self._memory[cell] = 0
                self._free_cells.append(cell)

    def ran(self) -> list[str]:
        """The ids of the messages that have run, are not settled, and may not run again or are blamed."""
        cells = [RAN.unpack_from(self._memory, cell) for cell in self._ran_cells]
        return [id[:length].decode("utf-8", "surrogateescape") for length, id in cells if length]

    def holds_of(self, queue: str) -> bool:
        """Whether the child may hold a message of ``queue``, or of another queue with the same bit."""
        byte, bit = divmod(self._bit(queue), 8)
        return bool(self._memory[self._held_queues + byte] >> bit & 1)

    def _bit(self, queue: str) -> int:
        return min(self._queues[queue], self._bits - 1)

    @property
    def held(self) -> int:
        held: int = HEAD.unpack_from(self._memory, self._offset)[0]
        return held

    @property
    def claims(self) -> int:
        claims: int = HEAD.unpack_from(self._memory, self._offset)[1]
        return claims

    def running(self) -> Iterator[Running]:
        """The messages that the child's threads run."""
        for mark in self.marks:
            if found := mark.read():
                yield found

    def overdue(self, now: float) -> list[Running]:
        """The running messages that are past their time limit (``time.monotonic``), or that are to be stopped
        by killing the process.
        """
        return [found for found in self.running() if found.is_stopped or 0 < found.deadline <= now]

    # --- orders -------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether the child is ordered to claim nothing."""
        return bool(self._memory[self._orders])

    def set_quiet(self, quiet: bool) -> None:
        """Order the child to claim nothing if ``quiet``, else to claim again."""
        if quiet != self.is_quiet:
            self._memory[self._orders] = quiet
            self.waker.wake()

    def stop(self, stop: Stop) -> None:
        """Order the child to stop a delivery. With ``stop.kills``, also request that the child is killed."""
        for mark in self.marks if stop.kills else ():
            if (found := mark.read()) and (found.id, found.rc) == (stop.id, stop.rc):
                mark.stop(stop.id, stop.rc)
        line = json.dumps([stop.queue, stop.id, stop.rc, stop.reason]).encode() + b"\n"
        if len(line) <= LINE_BYTES:
            # A child that hangs reads nothing. The keeper writes the order again until the run has ended.
            with suppress(BlockingIOError):
                os.write(self.waker.write_end(), line)

    def read_stops(self) -> dict[tuple[str, str, int], str]:
        """Read the orders to stop deliveries, and clear the waker. Returns the reason for each delivery."""
        lines = [line.lstrip(WAKE) for line in self.waker.read().splitlines()]
        orders = [json.loads(line) for line in lines if line]
        return {(queue, id, rc): reason for queue, id, rc, reason in orders}

    @property
    def recycle_reason(self) -> Recycle:
        """The reason why the child must finish its jobs and exit, ``Recycle.NO`` if it may continue."""
        return Recycle(self._memory[self._orders + 1])

    def recycle(self, reason: Recycle) -> None:
        """Order the child to claim no more, to finish its jobs, and to exit."""
        self._memory[self._orders + 1] = reason
        self.waker.wake()


class SharedMemory:
    """One slot for each child of a worker. It must be created before the processes are forked.

    ``queues`` are the queues of the worker, in their order. Each process has its own copy of this list.
    Queues are only appended, so that the index of a queue never changes.
    """

    def __init__(self, processes: int, threads: int, queues: Iterable[str] = ()) -> None:
        self.queues = list(queues)
        self._numbers = {queue: number for number, queue in enumerate(self.queues)}
        bits = len(self.queues) + MORE_QUEUES
        size = Slot.size(threads, bits)
        memory = mmap.mmap(-1, size * processes)
        self.slots = [Slot(memory, index * size, threads, self._numbers, bits) for index in range(processes)]

    def add_queues(self, queues: Iterable[str]) -> list[str]:
        """Append queues, in this process and in those that it forks later. Returns the added queues."""
        added = [queue for queue in queues if queue not in self._numbers]
        for queue in added:
            self._numbers[queue] = len(self.queues)
            self.queues.append(queue)
        return added


def _ran_max(threads: int) -> int:
    """The number of cells for messages that have run and may not run again.

    It is twice the messages that a child holds before a claim. So the messages of the claim have cells, too.
    """
    return 2 * max(threads, MAX_IN_HAND)


def _bytes(bits: int) -> int:
    return (bits + 7) // 8
