"""The signals, once the package has them."""

import importlib
import importlib.util
import inspect
import re

from django.dispatch import Signal

from . import text


def table() -> str:
    """The docstring of the module, with its table as Markdown."""
    if not found():
        return "This release has no signals of its own.\n"
    about = inspect.cleandoc(importlib.import_module("queueing.signals").__doc__ or "")
    before, border, inside, after = _parts(about)
    head, *lines = filter(None, inside.splitlines())
    cuts = [column.start() for column in re.finditer("=+", border)]
    rows: list[list[str]] = []
    for line in lines:
        cells = _cells(line, cuts)
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    names = tuple(cell or "" for cell in _cells(head, cuts))
    shown = [tuple(text.prose(cell) for cell in row) for row in rows]
    return f"{text.prose(before)}\n\n{text.table(names, shown)}\n{text.prose(after)}\n"


def _parts(about: str) -> tuple[str, str, str, str]:
    """The text before the table, its border, its rows, and the text after it."""
    borders = list(re.finditer(r"^=[= ]+$", about, re.M))
    first, second, last = borders
    inside = about[first.end() : second.start()] + about[second.end() : last.start()]
    return about[: first.start()], first[0], inside, about[last.end() :]


def _cells(line: str, cuts: list[int]) -> list[str]:
    return [line[cut:end].strip() for cut, end in zip(cuts, [*cuts[1:], None], strict=True)]


def found() -> list[str]:
    """The names of the signals in ``queueing.signals``."""
    if importlib.util.find_spec("queueing.signals") is None:
        return []
    module = importlib.import_module("queueing.signals")
    return [name for name, value in vars(module).items() if isinstance(value, Signal)]
