"""A place for one child under the supervisor, and the child that has it."""

import time
from dataclasses import dataclass, field

from .shared_memory import Running, Slot

#: How long the next child waits if the last one died before its first claim, doubling up to the limit.
REBIRTH_SECONDS, MAX_REBIRTH_SECONDS = 0.5, 30.0


@dataclass
class Post:
    """One of a worker's places for a child. It lives as long as the worker, its children come and go."""

    index: int
    slot: Slot
    pid: int = 0
    name: str = ""
    failures: int = 0
    not_before: float = 0.0
    is_closed: bool = False
    #: What ran past its time limit; its process gets until ``kill_by`` to finish what else it runs.
    overdue: list[Running] = field(default_factory=list)
    kill_by: float | None = None

    @property
    def wait_seconds(self) -> float:
        """For how long no new child may take the place."""
        return max(0.0, self.not_before - time.monotonic())

    def begin(self, name: str) -> None:
        """A new child is about to have it."""
        self.slot.clear()
        self.name = name
        self.overdue, self.kill_by = [], None

    def watch_time_limits(self, grace_seconds: float) -> bool:
        """Let the child retire if something in it is overdue. Returns whether it has to be killed now."""
        now = time.monotonic()
        self.overdue = self.slot.overdue(now)
        if not self.overdue:
            return False  # or not any more: what retires ends by itself
        if self.kill_by is None:
            self.kill_by = now + grace_seconds
            self.slot.retire()
        return now >= self.kill_by or self.slot.held <= len(self.overdue)

    def ended(self) -> list[Running]:
        """The child has ended. What it ran and was not killed for."""
        self.pid = 0
        late = {running.id for running in self.overdue}
        return [running for running in self.slot.running() if running.id not in late]

    def count_failure(self) -> None:
        """It died. One that had never claimed makes the next one wait."""
        if self.slot.claims:
            self.failures = 0
            return
        self.failures += 1
        pause = min(REBIRTH_SECONDS * 2**self.failures, MAX_REBIRTH_SECONDS)
        self.not_before = time.monotonic() + pause
