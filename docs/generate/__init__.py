"""The parts of the reference that are generated from the code.

A page names a part in a comment, such as ``<!-- generated: settings -->``. ``docs/hooks.py`` puts the part
there.
"""

from collections.abc import Callable
from functools import partial

from . import api, checks, commands, keys, metrics, permissions, settings, signals

#: The name of a part, and the function that returns its Markdown.
PARTS: dict[str, Callable[[], str]] = {
    "settings": settings.table,
    "runworker": commands.runworker,
    "queues": commands.queues,
    "client": api.client,
    "exceptions": api.exceptions,
    "signals": signals.table,
    "outcome": signals.outcome,
    "metrics": metrics.table,
    "permissions": permissions.table,
    "checks": checks.table,
    "keys": keys.table,
    **{name.rpartition(".")[2]: partial(api.module, name) for name in api.MODULES},
}
