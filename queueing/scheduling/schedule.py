"""The schedules that a project's code defines: when they are due, and what they send."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Literal

from queueing.client import QueueClient, drafts
from queueing.client.default import ensuring
from queueing.messages import Draft, Timing

from .triggers import Timetable

#: The policy for late ticks, and for several ticks that are due at once.
Missed = Literal["skip", "once", "all"]
#: ``skip`` leaves out ticks that are late by more than this.
LATE_MS = 60_000
#: ``all`` sends messages for at most this many late ticks, the newest ones. Older ticks are skipped.
MOST_MISSED = 100


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a schedule: its queue, and ``draft``, which makes the message for one due time (tick).

    ``name`` is the default name of the schedule.
    """

    name: str
    queue: str
    draft: Callable[[datetime], Draft]


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str
    timetable: Timetable
    missed: Missed
    target: Target

    @property
    def timing(self) -> Timing:
        """The part of the schedule that is stored in Redis."""
        timetable = self.timetable
        return Timing(self.name, timetable.expression, timetable.time_zone, self.target.queue, self.missed)

    def due(self, settled_ms: int, now_ms: int) -> list[int]:
        """The ticks (due times) after ``settled_ms`` for which a message must be sent now, oldest first.

        ``missed`` decides which late ticks are included. Times are ms since 1970.
        """
        ticks = takewhile(lambda tick: tick > settled_ms, self.timetable.until(now_ms))
        if self.missed == "skip":
            return [tick for tick in islice(ticks, 1) if now_ms - tick <= LATE_MS]
        return list(islice(ticks, MOST_MISSED if self.missed == "all" else 1))[::-1]

    def draft(self, tick_ms: int) -> Draft:
        """The message for a tick. Its headers have the name of the schedule and the time of the tick."""
        [draft] = drafts.complete(self.target.queue, [self.target.draft(self.timetable.moment(tick_ms))])
        assert isinstance(draft, Draft)
        return replace(draft, headers={**draft.headers, "schedule": self.name, "tick_ms": str(tick_ms)})


def send_now(client: QueueClient, schedule: Schedule) -> str:
    """Send the message of a schedule now, in addition to its ticks. If the queue is missing, it is created.

    Returns the id of the message. Raises the errors of ``send_message``.
    """
    queue = schedule.target.queue
    client = client.at([queue])
    draft = schedule.draft(client.now_ms())
    # The code names the queue, so it must exist.
    [id] = ensuring(client, lambda: client.send_messages(queue, [draft]), queue, any_name=True)
    return str(id)
