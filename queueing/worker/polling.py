"""Which of its queues a child looks at next, and when: in order of preference, until none has more."""

import time
from collections.abc import Sequence

from queueing.broker.subscription import POLL_SECONDS

#: A queue on which a script fails is left alone for so long.
BROKEN_SECONDS = 5.0


class Lookout:
    """A round begins with the preferred queue and goes on to the next one where nothing (more) is due.

    At its end the lookout is idle until something is announced or comes due, or until the poll.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = list(queues)
        self._turn = 0
        self._round_at = time.monotonic()
        self._due_at: dict[str, float] = {}
        self._broken_until: dict[str, float] = {}
        self.is_idle = False

    @property
    def queue(self) -> str:
        """The queue whose turn it is."""
        return self._queues[self._turn]

    @property
    def idle_seconds(self) -> float:
        """For how long there is nothing to look for."""
        return max(0.0, self._round_at - time.monotonic()) if self.is_idle else 0.0

    @property
    def is_round_due(self) -> bool:
        """Whether it is time to look again, though nobody has said anything."""
        return self.is_idle and time.monotonic() >= self._round_at

    def add(self, queue: str) -> None:
        """Look at one more, behind all others."""
        self._queues.append(queue)

    def begin(self) -> None:
        """Something may be due in any queue: begin a round."""
        self._turn, self.is_idle = 0, False

    def begin_if_due(self) -> None:
        """Begin a round if it is time for it, and pass over the queues that are broken."""
        if self.is_round_due:
            self.begin()
        for _ in self._queues:
            if not self.is_broken(self.queue) or self.is_idle:
                break
            self.has_no_more(self.queue)

    def has_no_more(self, queue: str, next_due_seconds: float | None = None) -> None:
        """Nothing is due in ``queue``, or not for so many seconds: go on, if it was its turn."""
        now = time.monotonic()
        self._due_at[queue] = float("inf") if next_due_seconds is None else now + next_due_seconds
        if queue != self.queue:
            return  # A new round has begun since it was asked.
        if self._turn + 1 < len(self._queues):
            self._turn, self.is_idle = self._turn + 1, False
            return
        self._turn, self.is_idle = 0, True
        self._round_at = min([now + POLL_SECONDS, *self._due_at.values()])

    def comes_due(self, queue: str, seconds: float) -> None:
        """A message of ``queue`` comes due then, as its settling has made it."""
        at = time.monotonic() + seconds
        self._due_at[queue] = min(at, self._due_at.get(queue, at))
        self._round_at = min(self._round_at, at)

    def breaks(self, queue: str) -> None:
        """Redis refuses what is done to this queue: the others must not wait for it."""
        self._broken_until[queue] = time.monotonic() + BROKEN_SECONDS

    def is_broken(self, queue: str) -> bool:
        return time.monotonic() < self._broken_until.get(queue, 0.0)
