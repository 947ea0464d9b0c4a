"""Prints figures as a Markdown table on standard output."""

import sys
from collections.abc import Iterable, Sequence
from statistics import median


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Print a line about the progress to standard error, so that it is not in the table."""
    sys.stderr.write(f"{line}\n")


def with_range(values: Sequence[float], form: str = ",.0f") -> str:
    """The median as text, with the least and the largest value in parentheses."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table. The first column is aligned to the left, the others to the right."""
    lines = [titles, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for number, line in enumerate(lines):
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        cells[0] = line[0].ljust(widths[0])
        say(f"| {' | '.join(cells)} |")
        if not number:
            rules = ["-" * width for width in widths[:1]] + ["-" * (width - 1) + ":" for width in widths[1:]]
            say(f"| {' | '.join(rules)} |")
