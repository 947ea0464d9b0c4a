"""The settings of the fault tests with a log handler that waits for every child of its process."""

import logging
import os
from contextlib import suppress

from .settings import *  # noqa: F403


class Reaper(logging.Handler):
    """Take the exit status of any child that ends within a moment."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(ChildProcessError):
            if "means nothing" in record.getMessage():
                for _ in range(100):
                    if os.waitpid(-1, os.WNOHANG)[0]:
                        break
                    os.sched_yield()


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}, "reaper": {"()": Reaper}},
    "loggers": {"queueing": {"handlers": ["console", "reaper"], "level": "INFO"}},
}
