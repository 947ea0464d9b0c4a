"""The subcommands schedules, run-schedule, pause-schedule and resume-schedule of ``manage.py queues``."""

import dataclasses
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from queueing import periodic
from queueing.broker.session import Session
from queueing.client import QueueClient
from queueing.exceptions import ScheduleNotFound
from queueing.messages import ScheduleState
from queueing.scheduling import schedule, store

from .base import Verb, arg, json
from .output import Refused, Screen, duration, moment, warn

COLUMNS = ("schedule", "times", "zone", "queue", "missed", "last tick", "next tick", "paused")
NAME = arg("schedule", metavar="NAME", help="name of the schedule")


class Schedules(Verb):
    name = "schedules"
    lists = True
    help = "all schedules with their next tick"
    description = """\
List the schedules that workers have registered in the last week by name, with
the last tick that sent a message and the next one, in UTC. A tick is late if
no worker takes its queue."""
    arguments = (json("an array with an object for each schedule"),)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        states = store.all_schedules(client)
        if options.json:
            screen.json([_as_json(state) for state in states])
            return
        if not states:
            screen.say("There is no schedule: a worker registers those of its queues when it starts.")
        else:
            screen.table([COLUMNS, *map(_words, states)], right=False)
        warn(client, screen)


class RunSchedule(Verb):
    name = "run-schedule"
    help = "send the message of a schedule now"
    description = """\
Send the message of a schedule of this project now and print its id. The next
tick does not change. A missing queue is created."""
    arguments = (NAME,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        periodic.discover()
        found = periodic.find(options.schedule)
        if found is None:
            known = ", ".join(each.name for each in periodic.schedules()) or "none"
            raise Refused(f"This project has no schedule named {options.schedule}. It has: {known}.")
        screen.say(schedule.send_now(client, found))


class PauseSchedule(Verb):
    name = "pause-schedule"
    help = "pause a schedule"
    description = """\
Pause a schedule: its ticks send no message until it is resumed. The pause
applies immediately. Messages that were sent before stay in their queue."""
    arguments = (NAME,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known(store.pause_schedule, client, options.schedule)
        screen.say(f"Paused the schedule {options.schedule}.")


class ResumeSchedule(Verb):
    name = "resume-schedule"
    help = "resume a paused schedule"
    description = """\
Resume a paused schedule with its next tick. The ticks of the pause stay
skipped."""
    arguments = (NAME,)

    def run(self, client: QueueClient, screen: Screen, options: Namespace) -> None:
        _known(store.resume_schedule, client, options.schedule)
        screen.say(f"Resumed the schedule {options.schedule}.")


def _known(act: Callable[[Session, str], None], client: QueueClient, name: str) -> None:
    try:
        store.on_schedule(act, client, name)
    except ScheduleNotFound:
        raise Refused(
            f'No worker has registered a schedule {name}: "manage.py queues schedules" lists all schedules.'
        ) from None


def _words(state: ScheduleState) -> tuple[str, ...]:
    timing = state.timing
    late = f" (late by {duration(state.late_seconds)})" if state.late_seconds >= 1 else ""
    return (
        timing.name,
        timing.expression,
        timing.time_zone or "-",
        timing.queue,
        timing.missed,
        moment(state.last_tick_ms // 1000) if state.last_tick_ms else "-",
        (moment(state.next_ms // 1000) if state.next_ms else "-") + late,
        "yes" if state.paused else "no",
    )


def _as_json(state: ScheduleState) -> dict[str, Any]:
    fields = dataclasses.asdict(state)
    return {**fields.pop("timing"), **fields, "late_seconds": state.late_seconds}
