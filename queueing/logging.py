"""A log formatter that escapes control characters, so that user data cannot inject log lines."""

import logging

from .text.printable import hexadecimal, printable
from .text.redaction import struck

__all__ = ["TextFormatter", "safe", "struck"]


def safe(text: str) -> str:
    """``text`` as one line, with control characters and text-direction characters escaped."""
    return printable(text, escape=hexadecimal)


class TextFormatter(logging.Formatter):
    """Indents all lines of a log record except the first, for example those of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text.

        Message, exception and traceback may all contain text from the sender of a job.
        """
        first, *more = [safe(line) for line in super().format(record).split("\n")]
        return "\n".join([first, *(f"    {line}" for line in more)])
