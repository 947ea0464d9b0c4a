"""When a child makes room for a new one: after so many messages, or with so much memory."""

import time

import psutil

from .options import Options

LOOK_SECONDS = 1.0
MEGABYTE = 1_000_000


class Retirement:
    """Watches one child for ``--max-jobs`` and ``--max-memory``."""

    def __init__(self, options: Options) -> None:
        self._max_jobs, self._max_bytes = options.max_jobs, options.max_memory_mb * MEGABYTE
        # Not at once: with a limit below what it starts with it would be replaced without a pause.
        self._next_look = time.monotonic() + LOOK_SECONDS
        self.reason = ""

    def is_due(self, taken: int) -> bool:
        """Whether the child, which has taken so many messages, is to end."""
        if self._max_jobs and taken >= self._max_jobs:
            self.reason = f"it has taken {taken} messages"
        elif self._max_bytes and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            used = psutil.Process().memory_info().rss
            if used > self._max_bytes:
                self.reason = f"it uses {used / MEGABYTE:.0f} MB"
        return bool(self.reason)
