"""Log lines as text that stay the lines they are: what a message or an error brought along forges none."""

import logging


def safe(text: str) -> str:
    """One line without control or direction characters, each of them written out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _written(c) for c in text)


def _written(c: str) -> str:
    return f"\\x{ord(c):02x}" if c < "\u0100" else f"\\u{ord(c):04x}"


class TextFormatter(logging.Formatter):
    """Only a record's first line begins at the margin; those of its traceback and stack are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text. It is the whole of it that is made safe: a source line in a traceback, the
        text of an exception and a handler's own message can each hold what a sender wrote."""
        first, *more = [safe(line) for line in super().format(record).split("\n")]
        return "\n".join([first, *(f"    {line}" for line in more)])
