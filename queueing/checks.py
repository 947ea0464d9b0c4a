"""System checks: what is wrong with the settings, before anything runs."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands
from django.db import DatabaseError

from . import conf, periodic, task_setting
from .broker import address


@register("queueing")
def check_settings(**_: Any) -> list[CheckMessage]:
    """The dict QUEUEING has only known names and sensible values."""
    found: list[CheckMessage] = [
        Error(one.text, hint=one.hint or None, id=one.id) for one in conf.problems(conf.raw())
    ]
    return found or _wrong_url(conf.get_conf().URL)


@register(Tags.database)
def check_tables(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The tables of the history are those of its migrations. ``migrate`` itself tells of missing ones."""
    from .history import schema
    from .models import Job

    alias = Job.objects.db
    if alias not in (databases or ()):
        return []
    try:
        problem = schema.problem(alias) if schema.is_migrated(alias) else ""
    except DatabaseError as error:
        problem = f"The tables of queueing could not be looked at: {type(error).__name__}."
    return [Warning(problem, id="queueing.W002")] if problem else []


@register("queueing")
def check_tasks(**_: Any) -> list[CheckMessage]:
    """The backend in TASKS needs Django's tasks, which look at it themselves."""
    if task_setting.names_ours():
        try:
            from .tasks import compat  # noqa: F401
        except ImproperlyConfigured as error:
            return [Error(str(error), id="queueing.E012")]
    return []


@register("queueing")
def check_runworker(**_: Any) -> list[CheckMessage]:
    """Another app's runworker may have won the name."""
    owner = get_commands().get("runworker")
    if owner in (None, "queueing"):
        return []
    return [
        Warning(
            f"manage.py runworker is the command of {owner}.",
            hint="Start this queue's worker with: manage.py queues work",
            id="queueing.W001",
        )
    ]


@register("schedules")
def check_schedules(**_: Any) -> list[CheckMessage]:
    """What ``@periodic`` was told makes sense. It has a tag of its own: it imports handlers and tasks."""
    try:
        periodic.discover()
        periodic.schedules()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="queueing.E030")]
    return []


def _wrong_url(url: str) -> list[CheckMessage]:
    try:
        address.options_of(url)
    except ValueError as error:
        return [Error('QUEUEING["URL"] is not the address of a Redis.', hint=str(error), id="queueing.E005")]
    return []
