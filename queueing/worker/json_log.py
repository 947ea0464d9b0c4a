"""Log lines as JSON, one object a line, for programs that collect logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from queueing.context import current
from queueing.text.errors import as_text


class JsonFormatter(logging.Formatter):
    """time, level, logger, message; of a run: queue, id, attempt and what its handler added."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds."""
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A field that a handler adds replaces none of these.
        line: dict[str, Any] = {**head, **_run(), **getattr(record, "job", {}), **head}
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        # ASCII, so that nothing in a message breaks the line or the collector's encoding.
        try:
            return json.dumps(line, default=as_text)
        except Exception:
            # A handler may add any object to its lines.
            return json.dumps({name: as_text(value) for name, value in line.items()})


def use_json() -> None:
    """Give every handler of the log this form."""
    named = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for logger in [logging.root, *named]:
        for handler in logger.handlers:
            handler.setFormatter(JsonFormatter())
    if logging.lastResort:  # What no handler takes is printed by this one.
        logging.lastResort.setFormatter(JsonFormatter())


def _run() -> dict[str, Any]:
    """The run that is logging now, if any."""
    context = current.get()
    if context is None:
        return {}
    id, rc = context.receipt
    return {**context.log_fields, "queue": context.queue, "id": id, "rc": rc, "attempt": context.attempt}
