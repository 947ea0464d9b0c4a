"""Log formatter that escapes control characters, so that user data cannot inject log lines."""

import logging

from .text.redaction import struck

__all__ = ["TextFormatter", "safe", "struck"]


def safe(text: str) -> str:
    """One line: control and direction characters are escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _written(c) for c in text)


def _written(c: str) -> str:
    return f"\\x{ord(c):02x}" if c < "\u0100" else f"\\u{ord(c):04x}"


class TextFormatter(logging.Formatter):
    """Indents every line of a record but its first, such as those of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text. A traceback, an exception and a message may each hold text of a sender."""
        first, *more = [safe(line) for line in super().format(record).split("\n")]
        return "\n".join([first, *(f"    {line}" for line in more)])
