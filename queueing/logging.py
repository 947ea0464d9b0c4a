"""A log formatter that escapes control characters, so that user data cannot inject log lines."""

import logging

from .text.printable import hexadecimal, printable
from .text.redaction import struck

__all__ = ["TextFormatter", "safe", "struck"]


def safe(text: str) -> str:
    """``text`` as one line, with control characters and text-direction characters escaped."""
    return printable(text, escape=hexadecimal)


class TextFormatter(logging.Formatter):
    """Escapes control characters in log records, and indents all lines of a record except the first."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text.

        Its message, exception and traceback may all contain text from the sender of a job.
        """
        first, *more = [safe(line) for line in super().format(record).split("\n")]
        return "\n".join([first, *(f"    {line}" for line in more)])
