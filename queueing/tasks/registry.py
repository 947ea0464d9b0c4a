"""The tasks of this project. A message can name a task, but cannot cause the import of a module."""

import sys
from collections.abc import Iterable
from functools import reduce
from importlib import import_module
from typing import Any

from django.utils.module_loading import autodiscover_modules

from .compat import Task

_declared: dict[str, Task] = {}


def declare(task: Task) -> None:
    """Register a task of an ``RSMQBackend``. ``@task`` and ``using`` call it."""
    _declared.setdefault(task.module_path, task)


def discover(modules: Iterable[str]) -> None:
    """Import the module ``tasks`` of every installed app, and ``modules``.

    Raises the errors of these imports.
    """
    autodiscover_modules("tasks")
    for module in modules:
        import_module(module)


def queues(alias: str) -> set[str]:
    """The names of the queues of all tasks that use the backend ``alias``."""
    return {task.queue_name for task in _declared.values() if task.backend == alias}


def find(path: str) -> Task | None:
    """The task with this dotted path, or ``None`` if no imported module has it."""
    module, _, name = path.rpartition(".")
    while module and module not in sys.modules:
        module, _, parent = module.rpartition(".")
        name = f"{parent}.{name}"
    if module:
        # Only the name counts, because a registered task may have been replaced in its module.
        found = reduce(_member, name.split("."), sys.modules[module])
        if isinstance(found, Task) and found.module_path == path:
            return found
    return _declared.get(path)


def _member(owner: Any, name: str) -> Any:
    """The attribute ``name`` of ``owner``, ``None`` if ``owner`` has no such attribute yet.

    ``getattr`` is not used, because a module may create attributes on access.
    """
    return vars(owner).get(name) if hasattr(owner, "__dict__") else None
