"""A bell between threads or processes: a pipe that can be waited for."""

import os
from contextlib import suppress


class Bell:
    """Rings until it is silenced; ringing it twice is ringing it once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        return self._read

    def write_end(self) -> int:
        """For whoever must write to it without calling us, as the interpreter does for signals."""
        return self._write

    def ring(self) -> None:
        # A full pipe is full of rings that nobody has heard yet.
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def silence(self) -> None:
        self.read()

    def read(self) -> bytes:
        """Silence it. Returns the bytes that were written since."""
        found = b""
        with suppress(BlockingIOError):
            while part := os.read(self._read, 4096):
                found += part
        return found
