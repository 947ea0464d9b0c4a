"""The settings of the fault tests with the handlers of this app, and a log that fails."""

import logging

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import INSTALLED_APPS as FAULT_APPS

INSTALLED_APPS = [*FAULT_APPS, "tests.faults.awkward"]


class Away(logging.Handler):
    """A log handler for a chat service that does not answer."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ConnectionError("the chat service is away")


class Exits(logging.Filter):
    """A log filter that ends its thread, if the thread lets it."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise SystemExit("the filter")


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"exits": {"()": Exits}},
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "away": {"()": Away, "level": "WARNING"},
        "exits": {"class": "logging.StreamHandler", "filters": ["exits"], "level": "ERROR"},
    },
    "loggers": {"queueing": {"handlers": ["console", "exits", "away"], "level": "INFO", "propagate": False}},
}
