"""Log formatter that escapes control characters, so that user data cannot inject log lines."""

import logging

from .text.printable import hexadecimal, printable
from .text.redaction import struck

__all__ = ["TextFormatter", "safe", "struck"]


def safe(text: str) -> str:
    """One line: control and direction characters are escaped."""
    return printable(text, escape=hexadecimal)


class TextFormatter(logging.Formatter):
    """Indents every line of a record but its first, such as those of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text. A traceback, an exception and a message may each hold text of a sender."""
        first, *more = [safe(line) for line in super().format(record).split("\n")]
        return "\n".join([first, *(f"    {line}" for line in more)])
