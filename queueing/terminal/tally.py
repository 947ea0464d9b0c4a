"""What a long work has done so far: drawn as a bar, and told when it is stopped."""

from typing import TYPE_CHECKING

from .text import counted, cut, width

if TYPE_CHECKING:
    from .screen import Screen

BAR_COLUMNS = 20


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

    def __enter__(self) -> "Tally":
        self._screen.so_far = self.sentence
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._screen.draw(f"\r{' ' * width(self._drawn)}\r")

    def __call__(self, done: int, total: int) -> None:
        # What is sent meanwhile may be done, too.
        self.done, self.total = done, max(done, total)
        line = self._line()
        if self._screen.draws and line != self._drawn:
            self._screen.draw(f"\r{line.ljust(width(self._drawn))}")
            self._drawn = line

    def sentence(self) -> str:
        """What is done, for one who stops it or whom an error stops; empty before the first step."""
        if not self.total:
            return ""
        return f"{self.done} of {counted(self.total, self.noun)} {self.participle}"

    def _line(self) -> str:
        share = self.done / self.total if self.total else 1.0
        filled = int(share * BAR_COLUMNS)
        figures = (
            f"  [{'#' * filled}{'.' * (BAR_COLUMNS - filled)}] {share:4.0%}  {self.done} of {self.total}"
        )
        return cut(self.doing, max(10, self._screen.columns - 1 - len(figures))) + figures
