"""The output of a verb: its results, notes and questions, inert whatever they hold.

Bodies, queue names and error texts come from anyone who can reach Redis. Written to a terminal as they are,
they could colour it, turn its lines around or type into it.
"""

import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from queueing.broker import decode
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
from queueing.messages import QueueFigures
from queueing.monitoring import alerts
from queueing.text.printable import printable

#: Columns of a line that goes to a file or a program.
FILE_COLUMNS = 160
BAR_COLUMNS = 20


class Refused(QueueError):
    """What was asked for is not done, and the text says why and what to do."""


class Screen:
    """Results go to ``out``, everything said about them to ``err``; both are Django's wrappers.

    Whatever passes through is made inert. ``so_far`` tells what a verb has done when it is stopped.
    """

    def __init__(self, out: Any, err: Any) -> None:
        self._out, self._err = out, err
        self.so_far: Callable[[], str] = lambda: ""
        self.columns = shutil.get_terminal_size().columns
        self.draws = err.isatty()

    # --- writing ------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """A line of the result."""
        self._out.write(_encodable(printable(line), self._out))

    def note(self, line: str) -> None:
        """A line about it, which is no part of the result."""
        self._err.write(_encodable(printable(line), self._err), str)

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """ASCII: no character of it can do anything to a terminal, and nothing is lost."""
        self._out.write(json.dumps(value, indent=indent))

    def table(self, rows: Sequence[Sequence[str]], *, right: bool = True) -> None:
        """Rows of cells, one below the other."""
        for line in aligned([[printable(cell) for cell in row] for row in rows], right=right):
            self.say(line)

    def row(self, beginning: str, content: str) -> None:
        """A line that ends with as much of ``content`` as there is room for."""
        columns = self.columns if self._out.isatty() else FILE_COLUMNS
        room = max(20, columns - len(beginning))
        # A line's worth is cut twice, so that a body of megabytes is never escaped in whole.
        self.say(beginning + cut(printable(content[: room * 2]), room))

    def stopped(self) -> None:
        """Say what was done until Ctrl-C, below the ^C of the terminal."""
        if self.draws:
            self.draw("\n")
        self.note(f"Stopped: {self.so_far()}." if self.so_far() else "Stopped.")

    def flush(self) -> None:
        """What was said is out, or ``BrokenPipeError`` says that nobody reads it."""
        self._out.flush()

    def draw(self, text: str) -> None:
        """Text without a line of its own, for a bar."""
        self._err.write(_encodable(text, self._err), str, ending="")
        self._err.flush()

    def tally(self, doing: str, done: str, noun: str = "message") -> "Tally":
        """See ``Tally``."""
        return Tally(self, doing, done, noun)

    # --- asking -------------------------------------------------------------------------------

    def confirm(self, question: str) -> None:
        """Ask before something is destroyed; ``Refused`` unless the answer is yes."""
        if not (sys.stdin and sys.stdin.isatty()):
            raise Refused(f"{question} There is no terminal to ask on: say --yes to do it unasked.")
        self.so_far = lambda: "nothing is deleted"
        self.draw(f"{printable(question)} [y/N] ")
        answer = sys.stdin.readline()
        if not answer:  # Ctrl-D leaves the line unfinished
            self.draw("\n")
        self.so_far = lambda: ""
        if answer.strip().lower() not in {"y", "yes"}:
            raise Refused("Nothing is deleted.")

    def read_all(self) -> str:
        """Everything on stdin as it is; bytes that are no UTF-8 are sent on unchanged."""
        stream = getattr(sys.stdin, "buffer", sys.stdin)
        content = stream.read()
        return decode.text(content) if isinstance(content, bytes) else content


def _encodable(text: str, stream: Any) -> str:
    """What the stream's encoding has no character for is written out, too."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Tally:
    """Counts along as the client's ``progress``; in a ``with`` it takes its bar away at the end.

    The bar stands on stderr, and only where that is a terminal.
    """

    def __init__(self, screen: "Screen", doing: str, done: str, noun: str = "message") -> None:
        """``doing`` stands before the bar; ``done`` and ``noun`` make ``3 of 12 messages deleted``."""
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
        # What is sent meanwhile may be done, too.
        self.done, self.total = done, max(done, total)
        percent = self._percent()
        if self._screen.draws and percent != self._drawn_percent:
            line = self._line(percent)
            self._screen.draw(f"\r{line.ljust(len(self._drawn))}")
            self._drawn, self._drawn_percent = line, percent

    def sentence(self) -> str:
        """What is done, for one who stops it or whom an error stops; empty before the first step.

        The step that was under way may have been done, too.
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


def sentence(error: QueueError, client: QueueClient, names: Sequence[str]) -> str:
    """What happened to the queues ``names``, without its full stop."""
    name = names[0] if names else ""
    match error:
        case QueueNotFound():
            missing = " and none ".join(f"named {name}" for name in _missing(client, names))
            return f'There is no queue {missing}: "manage.py queues list" shows those there are'
        case QueueExists():
            return f'There is a queue named {name} already: "manage.py queues set" changes it'
        case MessageTooLong():
            return f'The message is too long: "manage.py queues set {name} --maxsize -1" takes any length'
        case ReplyLost() | QueueRefused():
            return str(error)
        case QueueUnavailable():
            return f'{error}: see that it runs and that QUEUEING["URL"] is its address'
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
    """Report on stderr what there is to look after, about these queues and in general."""
    for alert in alerts.read(client, figures, names):
        screen.note(f"Warning: {alert.text}")
