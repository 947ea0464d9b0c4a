"""The page of schedules: their ticks (due times), and the actions to run, pause or resume a schedule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queueing import periodic
from queueing.client import QueueClient
from queueing.exceptions import QueueError
from queueing.messages import ScheduleState, Timing
from queueing.scheduling import store
from queueing.scheduling.schedule import Schedule, send_now
from queueing.templatetags.queueing_text import visible

from .base import jobs_url
from .redis_rows import RowAction, RowPage

#: Seconds after which a due tick counts as late. Workers send due ticks immediately.
LATE_SECONDS = 10.0
WORDS = {
    "on time": gettext_lazy("on time"),
    "late": gettext_lazy("late"),
    "paused": gettext_lazy("paused"),
    "no worker": gettext_lazy("no worker"),
}
MISSED = {
    "skip": gettext_lazy("skipped"),
    "once": gettext_lazy("sent once"),
    "all": gettext_lazy("all sent"),
}


class NotHere(QueueError):
    """The code of this web process does not define the schedule."""

    text = gettext_lazy("this web process does not have the code of this schedule")


class Run(RowAction):
    """Send the message of a schedule now, in addition to the messages of its ticks."""

    name = "run"
    permission = "run_schedule"
    label = gettext_lazy("Run")

    def act(self, client: QueueClient, name: str) -> str | None:
        schedule = _code().get(name)
        if schedule is None:
            raise NotHere
        id = send_now(client, schedule)
        return _("Sent the message of %(name)s to %(queue)s: %(id)s.") % {
            "name": name,
            "queue": schedule.target.queue,
            "id": id,
        }


class Pause(RowAction):
    name = "pause"
    permission = "pause_schedule"
    label = gettext_lazy("Pause")

    def act(self, client: QueueClient, name: str) -> str | None:
        store.on_schedule(store.pause_schedule, client, name)
        return _("Paused %s: its ticks send no messages.") % name


class Resume(RowAction):
    """Resume a paused schedule. It continues with its next tick."""

    name = "resume"
    permission = "pause_schedule"
    label = gettext_lazy("Resume")

    def act(self, client: QueueClient, name: str) -> str | None:
        store.on_schedule(store.resume_schedule, client, name)
        return _("Resumed %s: it continues with its next tick.") % name


def _code() -> Mapping[str, Schedule]:
    """The schedules that the code defines, by name.

    Returns an empty dict if the code has an error. A system check reports this error.
    """
    try:
        periodic.discover()
        return {schedule.name: schedule for schedule in periodic.schedules()}
    except ImproperlyConfigured:
        return {}


@dataclass(frozen=True, slots=True)
class Row:
    """The data of one schedule for the template.

    ``known`` is the state that is stored in Redis. It is ``None`` if no worker has registered the schedule.
    """

    timing: Timing
    known: ScheduleState | None
    queue_url: str
    message_url: str
    verbs: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return visible(self.timing.name)

    @property
    def state(self) -> str:
        """One of ``paused``, ``no worker``, ``late`` and ``on time``."""
        if self.known is None:
            return "no worker"
        if self.known.paused:
            return "paused"
        if self.known.now_ms - self.known.seen_ms > store.LEFT_MS:
            return "no worker"
        return "late" if self.known.late_seconds > LATE_SECONDS else "on time"

    @property
    def word(self) -> str:
        return str(WORDS[self.state])

    @property
    def missed(self) -> str:
        """The rule for ticks that became due while no worker ran, such as ``skipped``."""
        return str(MISSED.get(self.timing.missed, visible(self.timing.missed)))

    @property
    def next_ms(self) -> int:
        """The time of the next tick in ms since 1970.

        Returns 0 if the schedule is paused, if no worker has registered it, or if the next tick is unknown.
        """
        return 0 if self.known is None or self.known.paused else self.known.next_ms

    @property
    def in_seconds(self) -> float:
        return max(0.0, (self.next_ms - self.known.now_ms) / 1000) if self.known and self.next_ms else 0.0


class ScheduleAdmin(RowPage):
    """The schedules that workers have registered, and those that only the code of this process defines."""

    verbs = (Run, Pause, Resume)

    def read(self, client: QueueClient) -> tuple[list[ScheduleState], frozenset[str]]:
        return store.all_schedules(client), frozenset(client.list_queues())

    def context(
        self, request: HttpRequest, known: tuple[list[ScheduleState], frozenset[str]]
    ) -> dict[str, Any]:
        schedules, queues = known
        code = _code()
        states = {state.name: state for state in schedules}
        timings = {name: schedule.timing for name, schedule in code.items()}
        timings |= {name: state.timing for name, state in states.items()}
        rows = []
        for name in sorted(timings):
            timing, state = timings[name], states.get(name)
            offered: list[type[RowAction]] = [Run] if name in code else []
            if state is not None:
                offered.append(Resume if state.paused else Pause)
            [(_name, url)] = self.links(request, [timing.queue], queues)
            sees_job = state is not None and request.user.has_perm("queueing.view_job")
            job_url = jobs_url(self.admin_site, state.last_id) if sees_job else ""
            rows.append(Row(timing, state, url, job_url, self.buttons(request, name, *offered)))
        return {"rows": rows}
