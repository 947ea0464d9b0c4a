"""The signals, once the package has them."""

import importlib
import importlib.util

from django.dispatch import Signal

from . import text


def table() -> str:
    """One row for each signal, with the comment above it."""
    if not found():
        return "This release has no signals of its own.\n"
    module = importlib.import_module("queueing.signals")
    said = text.comments(module)
    about = text.prose(module.__doc__)
    rows = [(f"`{name}`", said.get(name, "")) for name in found()]
    return f"{about}\n\n{text.table(('signal', 'meaning and arguments'), rows)}"


def found() -> list[str]:
    """The names of the signals in ``queueing.signals``."""
    if importlib.util.find_spec("queueing.signals") is None:
        return []
    module = importlib.import_module("queueing.signals")
    return [name for name, value in vars(module).items() if isinstance(value, Signal)]
