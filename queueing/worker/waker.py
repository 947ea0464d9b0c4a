"""Wakes a thread or a process through a pipe, so that the reader can wait for other descriptors as well."""

import os
import select
from collections.abc import Iterable
from contextlib import suppress


def readable(descriptors: Iterable[int], seconds: float) -> set[int]:
    """Wait up to ``seconds`` until one or more ``descriptors`` are readable or closed, and return these.

    ``poll`` is used, because ``select`` refuses descriptors from 1024 on, and a handler may open many files.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}


#: The byte that ``wake`` writes.
WAKE = b"!"


class Waker:
    """A pipe that wakes its reader: readable from ``wake`` until ``clear``. Repeated wakes count once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def __del__(self) -> None:
        # Without this, each call of `run_pending` in the tests of a project would leave a pipe.
        with suppress(OSError, AttributeError):
            os.close(self._read)
            os.close(self._write)

    def fileno(self) -> int:
        return self._read

    def write_end(self) -> int:
        """The descriptor for writers that cannot call ``wake``, such as the interpreter after a signal."""
        return self._write

    def wake(self) -> None:
        # A full pipe is readable already.
        with suppress(BlockingIOError):
            os.write(self._write, WAKE)

    def clear(self) -> None:
        self.read()

    def read(self) -> bytes:
        """Clear the pipe. Returns the bytes that were written to it."""
        found = b""
        with suppress(BlockingIOError):
            while part := os.read(self._read, 4096):
                found += part
        return found
