"""The signals of the package: what each sends, and when."""

import importlib
import inspect
import re

from django.dispatch import Signal

from . import api, text

MODULE = "queueing.signals"


def table() -> str:
    """The docstring of the module, and a table of the signals from the comments above them."""
    module = importlib.import_module(MODULE)
    rows = [(f"`{name}`", *_described(comment)) for name, comment in _comments().items()]
    about = text.prose(inspect.cleandoc(module.__doc__ or ""))
    return f"{about}\n\n{text.table(('signal', 'arguments', 'sent'), rows)}\n"


def outcome() -> str:
    """The argument of the signals about an end."""
    module = importlib.import_module(MODULE)
    return api.entry(f"{MODULE}.Outcome", module.Outcome, 2)


def found() -> list[str]:
    """The names of the signals in ``queueing.signals``."""
    module = importlib.import_module(MODULE)
    return [name for name, value in vars(module).items() if isinstance(value, Signal)]


def _described(comment: str) -> tuple[str, str]:
    """The arguments, and the moment: a comment has them in this order, with a colon between."""
    arguments, _, moment = comment.partition(": ")
    return text.prose(arguments), text.prose(moment)


def _comments() -> dict[str, str]:
    source = inspect.getsource(importlib.import_module(MODULE))
    comments = re.findall(r"((?:^#: .*\n)+)^(\w+) = Signal\(", source, re.MULTILINE)
    return {name: " ".join(re.findall(r"^#: (.*)$", lines, re.MULTILINE)) for lines, name in comments}
