"""The output of the subcommands of ``manage.py queues``: results, notes and questions.

All control characters are escaped. Anyone who can reach Redis can write bodies, queue names and error texts.
Without escapes, such text could recolour a terminal, reverse its lines, or insert input into it.
"""

import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError

from queueing.broker import decode
from queueing.broker.places import DEFAULT
from queueing.client import QueueClient
from queueing.exceptions import (
    MessageTooLong,
    QueueError,
    QueueExists,
    QueueNotFound,
    QueueRefused,
    QueueUnavailable,
    ReplyLost,
)
from queueing.history import writer
from queueing.messages import QueueFigures
from queueing.monitoring import alerts
from queueing.text.printable import printable

#: The width of lines if the output is not a terminal.
FILE_COLUMNS = 160
BAR_COLUMNS = 20


class Refused(QueueError):
    """A subcommand refuses to act. The text gives the reason and the remedy."""


class Screen:
    """Writes the results of a subcommand to ``out``, and notes to ``err``. Both are Django's output wrappers.

    All text is escaped. While a subcommand works, it may set ``so_far`` to a function that returns a text
    about the finished work. The text is printed if the subcommand is interrupted or fails.
    """

    def __init__(self, out: Any, err: Any) -> None:
        self._out, self._err = out, err
        self.so_far: Callable[[], str] = lambda: ""
        self.columns = shutil.get_terminal_size().columns
        self.draws = err.isatty()

    # --- writing ------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        self._out.write(_encodable(printable(line), self._out))

    def note(self, line: str) -> None:
        """Write a line that is not part of the result to stderr."""
        self._err.write(_encodable(printable(line), self._err), str)

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """Write a value as JSON in ASCII. Such JSON has no characters that control a terminal."""
        self._out.write(json.dumps(value, indent=indent))

    def table(self, rows: Sequence[Sequence[str]], *, right: bool = True) -> None:
        """Write rows of cells as aligned columns (see ``aligned``)."""
        for line in aligned([[printable(cell) for cell in row] for row in rows], right=right):
            self.say(line)

    def row(self, beginning: str, content: str) -> None:
        """Write ``beginning``, and as much of ``content`` as fits into the line."""
        columns = self.columns if self._out.isatty() else FILE_COLUMNS
        room = max(20, columns - len(beginning))
        # The content is cut twice. The first cut limits the work of escaping, because a body may have
        # megabytes. The second one is needed because escapes make the content longer.
        self.say(beginning + cut(printable(content[: room * 2]), room))

    def stopped(self) -> None:
        """Report the finished work after Ctrl-C.

        The terminal has written ``^C``, so the report begins on a new line.
        """
        if self.draws:
            self.draw("\n")
        self.note(f"Stopped: {self.so_far()}." if self.so_far() else "Stopped.")

    def flush(self) -> None:
        """Flush the results. Raises ``BrokenPipeError`` if the program that reads them has ended."""
        self._out.flush()

    def draw(self, text: str) -> None:
        """Write text to stderr without a line break, for a progress bar."""
        self._err.write(_encodable(text, self._err), str, ending="")
        self._err.flush()

    def tally(self, doing: str, done: str, noun: str = "message") -> "Tally":
        """Make a progress bar (see ``Tally``)."""
        return Tally(self, doing, done, noun)

    # --- asking -------------------------------------------------------------------------------

    def confirm(self, question: str) -> None:
        """Ask the user to confirm a deletion.

        Raises ``Refused`` if the answer is not yes, or if there is no terminal on which to ask.
        """
        if not (sys.stdin and sys.stdin.isatty()):
            raise Refused(f"{question} There is no terminal for the answer: add --yes to skip the question.")
        self.so_far = lambda: "nothing is deleted"
        self.draw(f"{printable(question)} [y/N] ")
        answer = sys.stdin.readline()
        if not answer:  # Ctrl-D leaves the line unfinished
            self.draw("\n")
        self.so_far = lambda: ""
        if answer.strip().lower() not in {"y", "yes"}:
            raise Refused("Nothing is deleted.")

    def read_all(self) -> str:
        """Read stdin to its end, unchanged. Bytes that are not UTF-8 become surrogate escapes."""
        stream = getattr(sys.stdin, "buffer", sys.stdin)
        content = stream.read()
        return decode.text(content) if isinstance(content, bytes) else content


def _encodable(text: str, stream: Any) -> str:
    """Escape the characters that the encoding of ``stream`` cannot represent."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Tally:
    """A progress bar on stderr. An instance is the ``progress`` callback of a client call.

    The bar is drawn only on a terminal, and is removed at the end of its ``with`` block.
    """

    def __init__(self, screen: "Screen", doing: str, done: str, noun: str = "message") -> None:
        """``doing`` is the text before the bar, such as ``Deleting``.

        ``noun`` and ``done`` are words such as ``message`` and ``deleted``, for the text of ``sentence``.
        """
        self.doing, self.participle, self.noun = doing, done, noun
        self.done = self.total = 0
        self._screen = screen
        self._drawn = ""
        self._drawn_percent = -1

    def __enter__(self) -> "Tally":
        self._screen.so_far = self.sentence
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._screen.draw(f"\r{' ' * len(self._drawn)}\r")

    def __call__(self, done: int, total: int) -> None:
        # If messages are sent during the work, ``done`` may exceed ``total``.
        self.done, self.total = done, max(done, total)
        percent = self._percent()
        if self._screen.draws and percent != self._drawn_percent:
            line = self._line(percent)
            self._screen.draw(f"\r{line.ljust(len(self._drawn))}")
            self._drawn, self._drawn_percent = line, percent

    def sentence(self) -> str:
        """Describe the finished work, such as ``at least 3 of 9 messages deleted``.

        The number is a minimum, because an interrupted step is not counted but may have been finished.
        Returns ``""`` before the first step.
        """
        if not self.total:
            return ""
        return f"at least {self.done} of {counted(self.total, self.noun)} {self.participle}"

    def _percent(self) -> int:
        return self.done * 100 // self.total if self.total else 100

    def _line(self, percent: int) -> str:
        bar = ("#" * (percent * BAR_COLUMNS // 100)).ljust(BAR_COLUMNS, ".")
        figures = f"  [{bar}] {percent:3}%  {self.done} of {self.total}"
        return cut(self.doing, max(10, self._screen.columns - 1 - len(figures))) + figures


def width(text: str) -> int:
    """The number of terminal columns that the text takes."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """Shorten a text to at most ``columns`` terminal columns. A shortened text ends with ``…``."""
    # Most characters take one column, so a text that is much longer certainly does not fit.
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
    """Format rows as lines with aligned columns. The first column is aligned to the left.

    The other columns are aligned to the right if ``right`` is true, and to the left otherwise.
    """
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
    """A number with its noun, such as ``1 message`` or ``12 messages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """A duration as text with one or two units, such as ``0.4s``, ``3m05s``, ``7h20m`` or ``12d``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, rest = divmod(minutes, 60)
    return f"{hours}h{rest:02}m" if hours < 48 else f"{hours // 24}d"


def size(amount_bytes: int) -> str:
    """A number of bytes as text with a suitable unit, such as ``512B`` or ``64.0MB``."""
    value, units = float(amount_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f}{units[0]}" if units[0] == "B" else f"{value:.1f}{units[0]}"


def moment(epoch_seconds: int) -> str:
    """Format seconds since 1970 as a time in UTC. If they are out of range, return the number as text."""
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(epoch_seconds)


def sentence(error: Exception, client: QueueClient, names: Sequence[str]) -> str:
    """Describe an error of Redis or of the database in a sentence without its full stop.

    ``names`` are the queues that the subcommand was called for.
    """
    name = names[0] if names else ""
    match error:
        case QueueNotFound():
            missing = " and none ".join(f"named {name}" for name in _missing(client, names))
            return f'There is no queue {missing}: "manage.py queues list" shows those there are'
        case QueueExists():
            return f'There is a queue named {name} already: "manage.py queues set" changes it'
        case MessageTooLong():
            return f'The message is too long: "manage.py queues set {name} --maxsize -1" takes any length'
        case DatabaseError():
            return f"The database refused it: {writer.sentence(error)}"
        case ReplyLost() | QueueRefused():
            return str(error)
        case QueueUnavailable():
            is_further = error.partition not in ("", DEFAULT)
            setting = f'"PARTITIONS"]["{error.partition}"' if is_further else '"URL"'
            return f"{error}: check that it runs and that QUEUEING[{setting}] is its address"
    return str(error).removesuffix(".")


def _missing(client: QueueClient, names: Sequence[str]) -> Sequence[str]:
    with suppress(QueueError):
        there = {figures.name for figures in client.queue_figures(names)}
        return [name for name in names if name not in there] or names
    return names


def warn(
    client: QueueClient,
    screen: Screen,
    figures: Sequence[QueueFigures] = (),
    names: Sequence[str] | None = None,
) -> None:
    """Write alerts to stderr: those about the queues ``names``, and those that concern no single queue.

    ``figures`` are the figures of these queues. Their names are the default of ``names``.
    """
    for alert in alerts.read(client, figures, names):
        if alert.kind == "partition away" and client.away:
            continue  # The command has written it.
        # The spaces of figures, which do not break, would be escaped.
        text = alert.text.replace("\xa0", " ")
        screen.note(f"Warning: {text}")
