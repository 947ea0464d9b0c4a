"""Schedules: send a message to the queue of a handler, or enqueue a task, at certain times.

    from queueing.periodic import periodic

    @periodic("0 3 * * *", time_zone="Europe/Berlin")
    @handler("reports")
    def write_report(message): ...

    @periodic(seconds=30, args=["eu"])
    @task
    def refresh(region): ...

Every worker runs the schedules of its queues. A tick is one time of a schedule, by Redis' clock. However many
workers run, a tick sends one message: the script that sends the message also marks the tick as sent.

A schedule begins when a worker registers it for the first time, and begins again when its timetable changes.
The first message is sent at the next tick. A schedule that gets an earlier timetable back does not begin
again: it continues after its last tick that was sent or skipped. ``missed`` is the policy for ticks that were
due while no worker ran.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from . import handlers
from .messages import Draft
from .scheduling.schedule import Missed, Schedule, Target
from .scheduling.triggers import BadTimetable, Cron, Interval, Timetable

__all__ = ["add_maker", "discover", "find", "of_queues", "periodic", "schedules"]

Subject = TypeVar("Subject")
#: The text of a message, or a function that makes it from the tick (an aware time in the schedule's zone).
Body = str | Callable[[datetime], str]

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class _Registration:
    """One use of ``@periodic``. It is not known yet whether ``subject`` is a handler or a task."""

    subject: Any
    timetable: Timetable
    missed: Missed
    name: str
    body: Body | None
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The dotted path of the handler or task."""
        return handlers.name_of(self.subject)

    def is_replaced_by(self, other: "_Registration") -> bool:
        return (self.label, self.name, self.timetable) == (other.label, other.name, other.timetable)


#: A function that gets a decorated object and the arguments of a task. It returns the target of the task, or
#: ``None`` if it does not know the object.
Maker = Callable[[Any, Sequence[Any], Mapping[str, Any]], Target | None]

_registered: list[_Registration] = []
#: The makers, each with a function that imports the modules of its tasks.
_makers: dict[Maker, Callable[[], None] | None] = {}


def periodic(
    when: str | timedelta | None = None,
    *,
    seconds: int | None = None,
    time_zone: str = "",
    missed: Missed = "once",
    name: str = "",
    body: Body | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Callable[[Subject], Subject]:
    """Decorator above ``@handler`` or ``@task``, which runs the function at certain times.

    ``when`` is a cron expression with five fields, or six with seconds first, in ``time_zone`` (by default
    the setting ``TIME_ZONE``; see ``scheduling/triggers.py``). A ``timedelta``, or ``seconds``, is an
    interval of whole seconds that counts from 1970: ``seconds=30`` is due at :00 and :30 of each minute.

    ``missed`` is the policy for ticks (times of the schedule) that were due while no worker ran. ``once``
    sends a message for the last of these ticks. ``all`` sends a message for each of the last hundred.
    ``skip`` sends none, unless the last tick is less than a minute late. Several schedules of one function
    need different values of ``name``.

    ``body`` is the text of a handler's message, or a function that takes the time of the tick (an aware
    ``datetime``) and returns the text. The keeper process of a worker calls this function, so it must be
    quick. A task gets ``args`` and ``kwargs``. The message of a handler or task has the headers ``schedule``
    and ``tick_ms``.

    Raises ``ImproperlyConfigured`` at import for wrong arguments.
    """
    timetable = _timetable(when, seconds, time_zone)
    _check(missed, name, body)

    def register(subject: Subject) -> Subject:
        new = _Registration(subject, timetable, missed, name, body, args, kwargs or {})
        # A module that is imported again replaces its schedules.
        _registered[:] = [entry for entry in _registered if not entry.is_replaced_by(new)] + [new]
        return subject

    return register


def _check(missed: Missed, name: str, body: Body | None) -> None:
    if missed not in get_args(Missed):
        raise ImproperlyConfigured(f'missed is "skip", "once" or "all", not {missed!r}.')
    if not (body is None or isinstance(body, str) or callable(body)):
        raise ImproperlyConfigured(f"body is a text or a function of the tick, not {type(body).__name__}.")
    if name and not (name.isprintable() and len(name) <= MAX_NAME):
        raise ImproperlyConfigured(f"The name of a schedule has at most {MAX_NAME} printable characters.")


def add_maker(maker: Maker, *, modules: Callable[[], None] | None = None) -> None:
    """Register ``maker``, which makes the messages of ``@periodic`` functions other than handlers.

    ``modules`` is a function that imports the modules in which such functions may be. ``discover`` calls it.
    """
    _makers.setdefault(maker, modules)


def discover() -> None:
    """Import all modules that may have schedules. Raises the errors of these imports."""
    handlers.discover()
    for import_modules in _makers.values():
        if import_modules is not None:
            import_modules()


def schedules() -> list[Schedule]:
    """The schedules of all imported modules, by name.

    Tasks of other backends are left out. Raises ``ImproperlyConfigured`` for a function that is neither a
    handler nor a task, and for a name that two schedules have.
    """
    found: dict[str, Schedule] = {}
    for entry in _registered:
        target = _target(entry)
        if target is None:
            continue
        schedule = Schedule(entry.name or target.name, entry.timetable, entry.missed, target)
        if schedule.name in found:
            raise ImproperlyConfigured(
                f"Two schedules are named {schedule.name}: give one of them another name=."
            )
        found[schedule.name] = schedule
    return sorted(found.values(), key=lambda schedule: schedule.name)


def of_queues(queues: Sequence[str]) -> list[Schedule]:
    """The schedules that send to these queues."""
    return [schedule for schedule in schedules() if schedule.target.queue in queues]


def find(name: str) -> Schedule | None:
    """The schedule with this name, or ``None``."""
    return next((schedule for schedule in schedules() if schedule.name == name), None)


def _timetable(when: str | timedelta | None, seconds: int | None, time_zone: str) -> Timetable:
    if (when is None) == (seconds is None):
        raise ImproperlyConfigured(
            'Say when: @periodic("*/5 * * * *"), @periodic(timedelta(hours=1)) or @periodic(seconds=30).'
        )
    try:
        if isinstance(when, str):
            return Cron(when, time_zone or settings.TIME_ZONE)
        if time_zone:
            raise BadTimetable("An interval is the same in every time zone: leave time_zone= out.")
        if when is not None:
            exact: Any = when.total_seconds()
            return Interval(int(exact) if exact.is_integer() else exact)
        return Interval(seconds or 0)
    except BadTimetable as error:
        raise ImproperlyConfigured(str(error)) from None


def _target(entry: _Registration) -> Target | None:
    queues = handlers.queues_of(entry.subject)
    if len(queues) > 1:
        raise ImproperlyConfigured(
            f"{entry.label} is the handler of {' and '.join(queues)}: "
            "give the schedule a handler with one queue."
        )
    if queues:
        return _handler_target(entry, queues[0])
    for maker in _makers:
        target = maker(entry.subject, entry.args, entry.kwargs)
        if target is not None:
            if entry.body is not None:
                raise ImproperlyConfigured(f"{entry.label} is a task: it takes args= and kwargs=, no body=.")
            return target
    if inspect.isroutine(entry.subject):
        raise ImproperlyConfigured(
            f"{entry.label} has a schedule and is neither handler nor task: "
            "put @periodic above @handler or @task."
        )
    return None


def _handler_target(entry: _Registration, queue: str) -> Target:
    if entry.args or entry.kwargs:
        raise ImproperlyConfigured(f"{entry.label} is a handler: it takes body=, no args= or kwargs=.")
    return Target(entry.label, queue, lambda tick: Draft(body=_text(entry, tick)))


def _text(entry: _Registration, tick: datetime) -> str:
    body = entry.body(tick) if callable(entry.body) else entry.body or ""
    if not isinstance(body, str):
        name = entry.name or entry.label
        raise TypeError(f"body= of the schedule {name} returned {type(body).__name__}, not a text.")
    return body
