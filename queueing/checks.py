"""System checks: they report wrong settings before the project runs."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands
from django.db import DatabaseError, connections

from . import conf, periodic


@register("queueing")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Check that the dict QUEUEING has only known names with valid values."""
    return [Error(one.text, hint=one.hint or None, id=one.id) for one in conf.problems(conf.raw())]


@register("queueing")
def check_name(**_: Any) -> list[CheckMessage]:
    """Check that the name of ``QUEUEING`` is not misspelt. Without this setting its defaults apply."""
    if hasattr(settings, "QUEUEING"):
        return []
    return [
        Warning(
            f"The setting {name} is not read. Its name may be a misspelt QUEUEING.",
            hint="Without QUEUEING, its defaults apply.",
            id="queueing.W004",
        )
        for name in get_close_matches("QUEUEING", filter(str.isupper, dir(settings)), n=1, cutoff=0.8)
    ]


@register("queueing")
def check_time_zone(**_: Any) -> list[CheckMessage]:
    """Check that ``TIME_ZONE`` is set. Django starts without it, and then fails at the first local time."""
    if settings.TIME_ZONE:
        return []
    return [
        Error(
            "TIME_ZONE is empty. The history and the console need the name of a time zone.",
            hint='Set it, for example to "UTC" or "Europe/Berlin".',
            id="queueing.E019",
        )
    ]


@register(Tags.database)
def check_tables(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that the tables of the history have the columns that the migrations create.

    Missing tables are not reported here, because ``migrate`` reports them.
    """
    from .history import schema
    from .models import Job

    alias = Job.objects.db
    if alias not in (databases or ()):
        return []
    try:
        problem = schema.problem(alias) if schema.is_migrated(alias) else ""
    except DatabaseError as error:
        problem = f"The tables of queueing could not be read: {type(error).__name__}."
    return [Warning(problem, id="queueing.W002")] if problem else []


@register("queueing")
def check_relayed(**_: Any) -> list[CheckMessage]:
    """Check that ``DATABASES`` has each database that ``RELAY_DATABASES`` names."""
    if any(conf.problems(conf.raw())):
        return []
    return [
        Error(
            f'QUEUEING["RELAY_DATABASES"] names {alias!r}, which is not in DATABASES.',
            hint=f"DATABASES has: {', '.join(connections)}.",
            id="queueing.E016",
        )
        for alias in conf.get_conf().RELAY_DATABASES
        if alias not in connections
    ]


@register(Tags.database)
def check_staged_tables(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that each database in which the project stages messages has the table for them.

    A transaction stages a message: it stores the message, which is then sent after the commit.
    """
    if any(conf.problems(conf.raw())):
        return []
    from .transactional.databases import lacks_table, relayed

    found: list[CheckMessage] = []
    for alias in set(relayed()) & set(databases or ()):
        if lacks_table(alias):
            text = f"Messages are staged in the database {alias}, which has no table for them."
            hint = f"manage.py migrate queueing --database {alias}"
            found.append(Warning(text, hint=hint, id="queueing.W003"))
    return found


@register("queueing")
def check_tasks(**_: Any) -> list[CheckMessage]:
    """Check that Django's tasks can be imported if ``TASKS`` names ``RSMQBackend``.

    Django itself checks the options of the backend.
    """
    if conf.names_backend():
        try:
            from .tasks import compat  # noqa: F401
        except ImproperlyConfigured as error:
            return [Error(str(error), id="queueing.E012")]
    return []


@register("queueing")
def check_prometheus(**_: Any) -> list[CheckMessage]:
    """Check that the library for ``/metrics`` is installed if ``METRICS_TOKEN`` is set."""
    if any(conf.problems(conf.raw())) or not conf.get_conf().METRICS_TOKEN:
        return []
    from .views import has_prometheus_client

    if has_prometheus_client():
        return []
    return [
        Info(
            "/metrics needs prometheus-client, which is not installed.",
            hint='pip install "django-rsmq[prometheus]". /queues.json works without it.',
            id="queueing.I001",
        )
    ]


@register("queueing")
def check_runworker(**_: Any) -> list[CheckMessage]:
    """Check that no other app replaces the command ``runworker``."""
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
    """Check the arguments of ``@periodic``.

    This check has a tag of its own, ``schedules``, because it imports the handlers.
    """
    try:
        periodic.discover()
        periodic.schedules()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="queueing.E030")]
    return []
