"""System checks: what is wrong with the settings, before anything runs."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from . import periodic, task_setting, validation
from .conf import LOG_FORMATS, Conf, get_conf
from .exceptions import QueueError
from .keys import is_dead_letter_queue


@register("queueing")
def check_settings(**_: Any) -> list[CheckMessage]:
    """The dict QUEUEING has only known names and sensible values."""
    try:
        conf = get_conf()
    except (ImproperlyConfigured, TypeError) as error:
        return [Error(str(error), id="queueing.E001")]
    return [*_wrong_numbers(conf), *_wrong_queues(conf), *_wrong_url(conf)]


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


def _wrong_numbers(conf: Conf) -> list[CheckMessage]:
    positive = ("LEASE", "MAX_ATTEMPTS", "MAX_CRASHES", "HISTORY_DAYS", "HISTORY_ROWS", "OUTBOX_MAX")
    positive += ("TIMEOUT", "MAX_CONNECTIONS", "PROCESSES", "THREADS")
    errors: list[CheckMessage] = [
        Error(f'QUEUEING["{name}"] must be a number above 0.', id="queueing.E002")
        for name in positive
        if not isinstance(getattr(conf, name), int | float) or getattr(conf, name) <= 0
    ]
    errors += [
        Error(f'QUEUEING["{name}"] must be a whole number from 0 (0: no limit).', id="queueing.E006")
        for name in ("MAX_JOBS", "MAX_MEMORY")
        if not isinstance(getattr(conf, name), int) or getattr(conf, name) < 0
    ]
    if conf.LOG_FORMAT not in LOG_FORMATS:
        errors.append(Error('QUEUEING["LOG_FORMAT"] is text or json.', id="queueing.E007"))
    return errors


def _wrong_queues(conf: Conf) -> list[CheckMessage]:
    errors: list[CheckMessage] = []
    for queue in conf.QUEUES:
        try:
            validation.qname(queue)
        except QueueError as error:
            hint = "A name has 1 to 160 letters, digits, - and _."
            errors.append(Error(f'QUEUEING["QUEUES"]: {error}: {queue!r}', hint=hint, id="queueing.E003"))
        else:
            if is_dead_letter_queue(queue):
                hint = "Names that end in -dead belong to dead-letter queues; those are made when needed."
                errors.append(Error(f'QUEUEING["QUEUES"] names {queue}.', hint=hint, id="queueing.E004"))
    return errors


def _wrong_url(conf: Conf) -> list[CheckMessage]:
    if str(conf.URL).startswith(("redis://", "rediss://", "unix://")):
        return []
    hint = "It begins with redis://, rediss:// or unix://."
    return [Error('QUEUEING["URL"] is no address of a Redis.', hint=hint, id="queueing.E005")]
