"""What a long work has done so far: drawn as a bar, and told when it is stopped."""

from typing import TYPE_CHECKING

from .text import counted, cut

if TYPE_CHECKING:
    from .output import Screen

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
