"""Markdown from docstrings and comments of the code."""

import inspect
import re
from typing import Any


def prose(text: str | None) -> str:
    """A docstring as Markdown: single backticks, and code in a block of its own."""
    found = inspect.cleandoc(text or "").replace("``", "`")
    found = re.sub(r"^::$", "", found, flags=re.M)
    return _escaped(re.sub(r"::$", ":", found, flags=re.M).strip())


def cell(text: Any) -> str:
    """A text in one cell of a table."""
    return _escaped(re.sub(r"\s+", " ", str(text)).replace("|", "\\|").strip())


def _escaped(text: str) -> str:
    """No tag of HTML, outside of code in backticks."""
    return "".join(
        part if number % 2 else re.sub(r"<(?=\w)", "&lt;", part)
        for number, part in enumerate(re.split(r"(`[^`]*`)", text))
    )


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell(one) for one in line)} |" for line in lines) + "\n"


def comments(source: Any) -> dict[str, str]:
    """The ``#:`` comments of a module or a class, by the name that follows.

    A name without a comment of its own belongs to the comment above it.
    """
    found: dict[str, str] = {}
    lines: list[str] = []
    is_open = False
    for line in inspect.getsource(source).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            lines = [*(lines if is_open else []), text.removeprefix("#:").strip()]
            is_open = True
            continue
        is_open = False
        named = re.match(r"(?:self\.)?(\w+)\s*(?::[^=]+)?(?:=.*)?$", text)
        if not text or text.startswith(("def ", "class ", "@", '"""')):
            lines = []
        elif named and lines and not re.match(r"(return|if|for|else|try)\b", text):
            found[named[1]] = " ".join(lines).replace("``", "`")
    return found
