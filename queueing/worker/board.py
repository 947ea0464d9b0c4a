"""Memory shared by supervisor, keeper and children: what each child holds and runs right now.

Only the child writes its slot; the others read it, above all when it is dead. A started message is
marked before its handler is called, so what the board does not show has certainly not begun.
"""

import mmap
import struct
from collections.abc import Iterator

#: Bytes of an id that fit; RSMQ's have 32.
ID_BYTES = 63
CELL = 1 + ID_BYTES
HEAD = struct.Struct("=II")


class Slot:
    """The part of one child: how much it holds, whether it ever claimed, what its threads run."""

    def __init__(self, memory: mmap.mmap, offset: int, threads: int) -> None:
        self._memory, self._offset, self._threads = memory, offset, threads
        self._cells = offset + HEAD.size

    @staticmethod
    def size(threads: int) -> int:
        return HEAD.size + CELL * threads

    def clear(self) -> None:
        """Make it ready for a new child."""
        self._memory[self._offset : self._offset + self.size(self._threads)] = bytes(self.size(self._threads))

    def hold(self, count: int, claims: int) -> None:
        """The child holds so many messages, after so many claims that Redis answered."""
        HEAD.pack_into(self._memory, self._offset, count, claims)

    @property
    def held(self) -> int:
        return HEAD.unpack_from(self._memory, self._offset)[0]

    @property
    def claims(self) -> int:
        return HEAD.unpack_from(self._memory, self._offset)[1]

    def start(self, thread: int, id: bytes) -> None:
        """Mark ``id`` as running in ``thread``. The length comes last: a torn mark is no mark."""
        cell = self._cells + CELL * thread
        id = id[:ID_BYTES]
        self._memory[cell + 1 : cell + 1 + len(id)] = id
        self._memory[cell] = len(id)

    def finish(self, thread: int) -> None:
        """Unmark what ran in ``thread``."""
        self._memory[self._cells + CELL * thread] = 0

    def running(self) -> Iterator[str]:
        """The ids that are marked."""
        for thread in range(self._threads):
            cell = self._cells + CELL * thread
            length = self._memory[cell]
            if length:
                yield self._memory[cell + 1 : cell + 1 + length].decode("utf-8", "surrogateescape")


class Board:
    """One slot for each child. It must exist before the processes are forked."""

    def __init__(self, processes: int, threads: int) -> None:
        size = Slot.size(threads)
        memory = mmap.mmap(-1, size * processes)
        self.slots = [Slot(memory, index * size, threads) for index in range(processes)]
