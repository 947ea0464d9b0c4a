"""A schedule of this project's code: when it is due, and what it sends then."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Literal

from queueing.client import QueueClient
from queueing.client.default import ensure_queue, send_ensuring
from queueing.messages import Draft, Timing

from .triggers import Timetable

#: What becomes of several ticks that are due at once, or of one that is long over.
Missed = Literal["skip", "once", "all"]
#: ``skip`` sends for a tick that is late by so much, and not for one that is later.
LATE_MS = 60_000
#: ``all`` makes up for so many ticks; what lies before them is lost.
MOST_MISSED = 100


@dataclass(frozen=True, slots=True)
class Target:
    """Where a schedule sends to, what it sends for a tick, and what it is called if it has no name."""

    name: str
    queue: str
    draft: Callable[[datetime], Draft]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of this project's code."""

    name: str
    timetable: Timetable
    missed: Missed
    target: Target

    @property
    def timing(self) -> Timing:
        """What Redis is told of it."""
        timetable = self.timetable
        return Timing(self.name, timetable.expression, timetable.time_zone, self.target.queue, self.missed)

    def due(self, settled_ms: int, now_ms: int) -> list[int]:
        """The ticks after ``settled_ms`` for which something has to be sent at ``now_ms``, in order."""
        ticks = takewhile(lambda tick: tick > settled_ms, self.timetable.until(now_ms))
        if self.missed == "skip":
            return [tick for tick in islice(ticks, 1) if now_ms - tick <= LATE_MS]
        return list(islice(ticks, MOST_MISSED if self.missed == "all" else 1))[::-1]

    def draft(self, tick_ms: int) -> Draft:
        """The message of a tick; its headers tell which schedule and tick it is of."""
        draft = self.target.draft(self.timetable.moment(tick_ms))
        return replace(draft, headers={**draft.headers, "schedule": self.name, "tick_ms": str(tick_ms)})


def send_now(client: QueueClient, schedule: Schedule) -> str:
    """Send its message now, beside its ticks, and return the id. A missing queue is created."""
    draft = schedule.draft(client.now_ms())
    queue = schedule.target.queue
    [id] = send_ensuring(
        lambda: client.send_messages(queue, [draft]),
        # The code names the queue, so it is meant to be there.
        lambda: ensure_queue(client, queue),
    )
    return id
