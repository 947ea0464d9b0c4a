"""The queues of a worker, in memory that its processes share: their list can grow while it works."""

import mmap
import struct
from collections.abc import Iterable, Sequence
from typing import overload

#: Bytes of names that are there.
SIZE = struct.Struct("=I")
#: Room for the names of queues that are made while the worker works, which have 160 characters at most.
SPARE_BYTES = 65_536


class Queues(Sequence[str]):
    """In order of preference. Each keeps its number: what comes later stands behind.

    It must exist before the processes are forked, and only one of them adds to it: the keeper.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        text = "".join(f"{name}\n" for name in names).encode()
        self._memory = mmap.mmap(-1, SIZE.size + len(text) + SPARE_BYTES)
        self._names: list[str] = []
        self._read = 0
        #: The number of each, as far as it has been read here.
        self.numbers: dict[str, int] = {}
        self._append(text)
        self._refresh()

    def add(self, names: Iterable[str]) -> list[str]:
        """Add those that are not there yet. Returns those for which there was room."""
        self._refresh()
        added = []
        for name in names:
            if name not in self.numbers and self._append(f"{name}\n".encode()):
                added.append(name)
                self._refresh()
        return added

    def _append(self, text: bytes) -> bool:
        [size] = SIZE.unpack_from(self._memory)
        end = SIZE.size + size + len(text)
        if end > len(self._memory):
            return False
        self._memory[SIZE.size + size : end] = text
        # Last, so that who reads meanwhile finds no half of a name.
        SIZE.pack_into(self._memory, 0, size + len(text))
        return True

    def _refresh(self) -> None:
        [size] = SIZE.unpack_from(self._memory)
        if size > self._read:
            text = self._memory[SIZE.size + self._read : SIZE.size + size].decode()
            for name in text.splitlines():
                self.numbers[name] = len(self._names)
                self._names.append(name)
            self._read = size

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index):
        self._refresh()
        return self._names[index]

    def __len__(self) -> int:
        self._refresh()
        return len(self._names)
