"""Tasks that run at certain times: what ``@periodic`` above ``@task`` sends."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from queueing import periodic
from queueing.scheduling.schedule import Target
from queueing.tasks_backend import RSMQBackend

from . import registry
from .compat import InvalidTask, Task, task_backends


def register() -> None:
    """Let schedules of tasks be known, wherever schedules are shown or run."""
    periodic.add_maker(_target, modules=_import_modules)


def _import_modules() -> None:
    """What a worker would import: the tasks of every installed app, and the modules that backends name."""
    for backend in task_backends.all():
        if isinstance(backend, RSMQBackend):
            registry.discover(backend.task_options.modules)


def _target(subject: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Target | None:
    """Where the task of a schedule goes, ``None`` where it is none of ours."""
    if not isinstance(subject, Task):
        return None
    backend = subject.get_backend()
    if not isinstance(backend, RSMQBackend):
        return None
    try:
        queue, draft = backend.draft(subject, args, kwargs)
    except (InvalidTask, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"The schedule of {subject.module_path}: {error}") from error
    return Target(subject.module_path, queue, lambda tick: draft)
