"""Where a verb writes and asks."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from queueing.broker import decode
from queueing.exceptions import QueueError

from .tally import Tally
from .text import aligned, cut, inert

#: Columns of a line that goes to a file or a program.
FILE_COLUMNS = 160


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
        self._out.write(_encodable(inert(line), self._out))

    def note(self, line: str) -> None:
        """A line about it, which is no part of the result."""
        self._err.write(_encodable(inert(line), self._err), str)

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """ASCII: no character of it can do anything to a terminal, and nothing is lost."""
        self._out.write(json.dumps(value, indent=indent))

    def table(self, rows: Sequence[Sequence[str]], *, right: bool = True) -> None:
        """Rows of cells, one below the other."""
        for line in aligned([[inert(cell) for cell in row] for row in rows], right=right):
            self.say(line)

    def row(self, beginning: str, content: str) -> None:
        """A line that ends with as much of ``content`` as there is room for."""
        columns = self.columns if self._out.isatty() else FILE_COLUMNS
        room = max(20, columns - len(beginning))
        # A line's worth is cut twice, so that a body of megabytes is never escaped in whole.
        self.say(beginning + cut(inert(content[: room * 2]), room))

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

    def tally(self, doing: str, done: str, noun: str = "message") -> Tally:
        """See ``Tally``."""
        return Tally(self, doing, done, noun)

    # --- asking -------------------------------------------------------------------------------

    def confirm(self, question: str) -> None:
        """Ask before something is destroyed; ``Refused`` unless the answer is yes."""
        if not (sys.stdin and sys.stdin.isatty()):
            raise Refused(f"{question} There is no terminal to ask on: say --yes to do it unasked.")
        self.so_far = lambda: "nothing is deleted"
        self.draw(f"{inert(question)} [y/N] ")
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
