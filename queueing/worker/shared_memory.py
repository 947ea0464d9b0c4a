"""Memory shared by supervisor, keeper and children: what each child holds and runs, and the orders to it.

Each child writes what it holds and runs. The others read it, especially after the child has died. A child
marks a message before it calls the code, so a message without a mark has certainly not started. The
supervisor and the keeper write the orders.
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

from .waker import WAKE, Waker

#: Bytes of an id that fit; RSMQ's have 32.
ID_BYTES = 63
#: Held, claims; quiet, recycling.
HEAD = struct.Struct("=II")
ORDERS = struct.Struct("=BB")
#: Length of the id, id, start by the server's clock in ms, end of the time limit by the monotonic clock,
#: time limit in seconds, rc, failed, crashed, number of the queue.
CELL = struct.Struct(f"=B{ID_BYTES}sdddqqqH")
#: Queues with bits of their own that may be added to those at the start. Further ones share the last bit.
MORE_QUEUES = 64
LIMIT = struct.Struct("=dd")
_LIMIT_AT = struct.calcsize(f"=B{ID_BYTES}sd")
#: The delivery that is to be stopped with its process: length of the id, id, rc.
STOP = struct.Struct(f"=B{ID_BYTES}sq")
CELL_SIZE = CELL.size + STOP.size
#: Bytes of a line that a pipe takes whole or not at all.
LINE_BYTES = 4096


class Recycle(IntEnum):
    """The reason why a child must finish its jobs and exit. ``OVERDUE``: it is killed because of one of its
    jobs.
    """

    NO = 0
    OVERDUE = 1
    NEW_QUEUES = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A running message, as its child has marked it. ``queue`` is the index of its queue.

    ``is_stopped``: a user has asked to stop the message by killing its process.
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
    """The memory cell of one thread, with the message that the thread runs."""

    __slots__ = ("_memory", "_offset", "_queues")

    def __init__(self, memory: mmap.mmap, offset: int, queues: dict[str, int]) -> None:
        self._memory, self._offset, self._queues = memory, offset, queues

    def start(self, delivery: Delivery, started_ms: float) -> None:
        """Mark a delivery as started.

        The length of its id is written last, so that a half-written mark is not valid.
        """
        message = delivery.message
        id = message.id.encode("utf-8", "surrogateescape")[:ID_BYTES]
        CELL.pack_into(
            self._memory, self._offset, 0, id, started_ms, 0.0, 0.0,
            message.rc, delivery.failed, delivery.crashed, self._queues.get(delivery.queue, 0),
        )  # fmt: skip
        self._memory[self._offset] = len(id)

    def limit(self, deadline: float, seconds: float) -> None:
        """Store the time limit of the run: ``deadline`` (``time.monotonic``), ``seconds`` after its start."""
        LIMIT.pack_into(self._memory, self._offset + _LIMIT_AT, deadline, seconds)

    def finish(self) -> None:
        """Remove the mark."""
        self._memory[self._offset] = 0

    def stop(self, id: str, rc: int) -> None:
        """Request that a delivery is stopped by killing its process, if it runs in this cell. The keeper
        calls it.

        ``read`` compares the receipt, so that no other delivery is stopped.
        """
        name = id.encode("utf-8", "surrogateescape")[:ID_BYTES]
        STOP.pack_into(self._memory, self._offset + CELL.size, len(name), name, rc)

    def read(self) -> Running | None:
        """The marked message, or ``None``."""
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

    ``bits`` is the number of queues with a bit each. A bit is set while the child holds a message of that
    queue.
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
        #: Wakes the child for a new order. It also carries a line of JSON for each delivery to stop.
        self.waker = Waker()

    @staticmethod
    def size(threads: int, bits: int) -> int:
        return HEAD.size + ORDERS.size + _bytes(bits) + CELL_SIZE * threads

    def clear(self) -> None:
        """Reset the slot for a new child. If the last child was quiet, so is the new one."""
        was_quiet = self.is_quiet
        self._memory[self._offset : self._offset + self._size] = bytes(self._size)
        self._memory[self._orders] = was_quiet

    # --- written by the child -----------------------------------------------------------------

    def hold(self, count: int, claims: int, queues: Iterable[str] = ()) -> None:
        """Store that the child holds ``count`` messages of ``queues``, after ``claims`` answered claims."""
        HEAD.pack_into(self._memory, self._offset, count, claims)
        mask = 0
        for queue in queues:
            mask |= 1 << self._bit(queue)
        end = self._held_queues + _bytes(self._bits)
        self._memory[self._held_queues : end] = mask.to_bytes(_bytes(self._bits), "little")

    def holds_of(self, queue: str) -> bool:
        """Whether the child may hold a message of ``queue``."""
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
        """The marked messages."""
        for mark in self.marks:
            if found := mark.read():
                yield found

    def overdue(self, now: float) -> list[Running]:
        """The messages past their time limit (``time.monotonic``), and those to stop with their process."""
        return [found for found in self.running() if found.is_stopped or 0 < found.deadline <= now]

    # --- orders -------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether the child must not claim now."""
        return bool(self._memory[self._orders])

    def set_quiet(self, quiet: bool) -> None:
        """Order the child to claim nothing, or to claim again."""
        if quiet != self.is_quiet:
            self._memory[self._orders] = quiet
            self.waker.wake()

    def stop(self, stop: Stop) -> None:
        """Order the child to stop a delivery."""
        for mark in self.marks if stop.kills else ():
            if (found := mark.read()) and (found.id, found.rc) == (stop.id, stop.rc):
                mark.stop(stop.id, stop.rc)
        line = json.dumps([stop.queue, stop.id, stop.rc, stop.reason]).encode() + b"\n"
        if len(line) <= LINE_BYTES:
            # A child that hangs reads nothing. The keeper writes the order again until the run has ended.
            with suppress(BlockingIOError):
                os.write(self.waker.write_end(), line)

    def read_stops(self) -> dict[tuple[str, str, int], str]:
        """Read the orders to stop deliveries, and clear the waker. Returns delivery -> reason."""
        lines = [line.lstrip(WAKE) for line in self.waker.read().splitlines()]
        orders = [json.loads(line) for line in lines if line]
        return {(queue, id, rc): reason for queue, id, rc, reason in orders}

    @property
    def recycle_reason(self) -> Recycle:
        """The reason why the child must finish its jobs and exit, ``Recycle.NO`` if it need not."""
        return Recycle(self._memory[self._orders + 1])

    def recycle(self, reason: Recycle) -> None:
        """Order the child to claim no more, to finish its jobs, and to exit."""
        self._memory[self._orders + 1] = reason
        self.waker.wake()


class SharedMemory:
    """One slot for each child of a worker. It must be created before the processes are forked.

    ``queues`` are those of the worker, in their order. Each process has its own copy of the list, to which
    queues are only appended, so that the index of a queue never changes.
    """

    def __init__(self, processes: int, threads: int, queues: Iterable[str] = ()) -> None:
        self.queues = list(queues)
        self._numbers = {queue: number for number, queue in enumerate(self.queues)}
        bits = len(self.queues) + MORE_QUEUES
        size = Slot.size(threads, bits)
        memory = mmap.mmap(-1, size * processes)
        self.slots = [Slot(memory, index * size, threads, self._numbers, bits) for index in range(processes)]

    def add_queues(self, queues: Iterable[str]) -> list[str]:
        """Append queues, in this process and in those that it forks later. Returns those that are new."""
        added = [queue for queue in queues if queue not in self._numbers]
        for queue in added:
            self._numbers[queue] = len(self.queues)
            self.queues.append(queue)
        return added


def _bytes(bits: int) -> int:
    return (bits + 7) // 8
