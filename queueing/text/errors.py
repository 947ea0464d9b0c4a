"""Formats any exception as text of limited length, for the log, the outbox, the history and results."""

from collections import deque
from collections.abc import Iterable
from traceback import TracebackException
from typing import Any

#: The maximum lengths of an error and of a traceback, in characters.
ERROR_CHARACTERS, TRACEBACK_CHARACTERS = 1_000, 8_000
#: The maximum length of the dotted path of a class, in characters.
PATH_CHARACTERS = 255
#: The lengths of the beginning and of the end that are kept of a long traceback, in characters.
HEAD_CHARACTERS = 2_000
TAIL_CHARACTERS = TRACEBACK_CHARACTERS - HEAD_CHARACTERS - 100


def cut(text: str, limit: int = ERROR_CHARACTERS) -> str:
    """Return ``text``. If it is longer than ``limit``, return its beginning and the length of the whole."""
    if len(text) <= limit:
        return text
    mark = f"… ({len(text):,} characters)"
    return text[: limit - len(mark)] + mark


def as_text(value: Any) -> str:
    """``str(value)``. If that raises an error, a text about the error."""
    try:
        return str(value)
    except BaseException as broken:
        return f"(its str() raised {type(broken).__name__})"


def sentence(error: BaseException) -> str:
    """The class name and the text of an error, such as ``ValueError: too long``."""
    name, text = type(error).__name__[:PATH_CHARACTERS], as_text(error)
    return cut(f"{name}: {text}") if text else name


def class_path(error: BaseException) -> str:
    """The dotted path of an error's class."""
    return f"{type(error).__module__}.{type(error).__qualname__}"[:PATH_CHARACTERS]


def trace(error: BaseException) -> str:
    """The traceback of an error. Long lines are cut, and a long traceback is shortened in the middle."""
    try:
        return _bounded(TracebackException.from_exception(error, compact=True).format())
    except BaseException as broken:
        return f"{sentence(error)} (no traceback: {type(broken).__name__})"


def _bounded(pieces: Iterable[str]) -> str:
    head: list[str] = []
    tail: deque[str] = deque()
    in_head = in_tail = left_out = 0
    for piece in map(_cut_piece, pieces):
        if not tail and in_head + len(piece) <= HEAD_CHARACTERS:
            head.append(piece)
            in_head += len(piece)
            continue
        tail.append(piece)
        in_tail += len(piece)
        while in_tail > TAIL_CHARACTERS:
            left_out += len(tail[0])
            in_tail -= len(tail.popleft())
    gap = [f"  … {left_out:,} characters are left out …\n"] if left_out else []
    return "".join([*head, *gap, *tail])


def _cut_piece(piece: str) -> str:
    """A part of a traceback, cut if it is too long. The line break at its end is kept."""
    return piece if len(piece) <= ERROR_CHARACTERS else cut(piece.rstrip("\n"), ERROR_CHARACTERS - 1) + "\n"
