"""Text for a terminal: harmless whatever it holds, and as wide as it is meant to be.

Bodies, queue names and error texts come from whoever can reach Redis. Written to a terminal as they
are, they could colour it, turn its lines around or type into it.
"""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime


def inert(text: str) -> str:
    r"""The text in one line, with whatever is not printable written out, as in ``\n`` or ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text in so many columns at the most; where something is missing it ends with ``…``."""
    # Most characters take a column, so what lies far behind needs no look.
    if len(text) <= columns * 2 and width(text) <= columns:
        return text
    kept, used = [], 1
    for character in text[: columns * 2]:
        used += _character_width(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…"


def aligned(rows: Sequence[Sequence[str]], *, right: bool) -> list[str]:
    """The rows as lines: the first column to the left, the others to the right where asked."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        pads = [" " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)]
        cells = [
            pad + cell if right and index else cell + pad
            for index, (cell, pad) in enumerate(zip(row, pads, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def counted(number: int, noun: str = "message") -> str:
    """``1 message``, ``12 messages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """A span of time in its one or two largest units: ``0.4s``, ``3m05s``, ``7h20m``, ``12d``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest:02}m" if hours < 48 else f"{hours // 24}d"


def size(amount_bytes: int) -> str:
    """An amount of memory in its largest fitting unit: ``512B``, ``64.0MB``."""
    value, units = float(amount_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f}{units[0]}" if units[0] == "B" else f"{value:.1f}{units[0]}"


def moment(epoch_seconds: int) -> str:
    """A time in UTC; the bare number where a foreign program wrote no possible one."""
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(epoch_seconds)
