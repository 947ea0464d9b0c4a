"""The signals, with the comment above each."""

import importlib
import importlib.util

from django.dispatch import Signal

from . import text


def table() -> str:
    """The docstring of the module, and one row for each signal."""
    if not found():
        return "This release has no signals of its own.\n"
    module = importlib.import_module("queueing.signals")
    said = text.comments(module)
    rows: list[tuple[str, ...]] = []
    for name in found():
        arguments, _, sent = said.get(name, "").partition(": ")
        rows.append((f"`{name}`", arguments, sent))
    return f"{text.prose(module.__doc__)}\n\n{text.table(('signal', 'arguments', 'sent'), rows)}"


def found() -> list[str]:
    """The names of the signals in ``queueing.signals``."""
    if importlib.util.find_spec("queueing.signals") is None:
        return []
    module = importlib.import_module("queueing.signals")
    return [name for name, value in vars(module).items() if isinstance(value, Signal)]
