"""The settings of the fault tests with a log handler that hangs while the file ``HANGING`` exists."""

import logging
import os
import time
from pathlib import Path

from .settings import *  # noqa: F403


class Hanging(logging.StreamHandler):
    """Hang like a pipe without a reader."""

    def emit(self, record: logging.LogRecord) -> None:
        while Path(os.environ["HANGING"]).exists():
            time.sleep(0.05)
        super().emit(record)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"hanging": {"()": Hanging}},
    "loggers": {"queueing": {"handlers": ["hanging"], "level": "INFO"}},
}
