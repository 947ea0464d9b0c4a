"""A clean context for each run: what one run sets of Python's context variables, the next one never sees.

These are the language, the time zone, the decimal context, and context variables of the project and its
libraries. Django keeps its caches there too. A thread keeps those from run to run, for they hold
connections. Database connections belong to the thread itself.
"""

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

from django.core.cache import caches

from queueing.context import current

Result = TypeVar("Result")


class CleanContext(threading.local):
    """The context with which the runs of each thread begin."""

    def __init__(self) -> None:
        self._base = Context()
        # Every run sets it, so that a run which sets nothing else leaves as many variables as there were.
        self._base.run(current.set, None)
        self._many_caches = len(caches.settings) > 1

    def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call ``function`` in a context in which nothing but Django's caches is set."""
        base = self._base
        context = base.copy()
        try:
            return context.run(function, *args)
        finally:
            if len(context) > len(base) or self._many_caches:
                base.run(_keep, context.run(_opened))


def _opened() -> dict[str, Any]:
    opened = caches.all(initialized_only=True)
    return {alias: caches[alias] for alias in caches if hasattr(caches._connections, alias)} if opened else {}


def _keep(opened: dict[str, Any]) -> None:
    for alias, cache in opened.items():
        caches[alias] = cache
