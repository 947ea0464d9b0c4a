"""Where the log of a worker goes. The project's ``LOGGING`` decides; Django's default has no place for it."""

import logging
import sys

from queueing.logging import TextFormatter

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: Django's logger of tasks, and that of its backport.
OF_TASKS = ("django.tasks", "django_tasks")


def open_outlet() -> None:
    """Print the log of the queue to stderr if no handler takes it, and each failed task once."""
    logger = logging.getLogger("queueing")
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter(FORMAT))
        logger.addHandler(handler)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    for name in OF_TASKS:
        _say_once(logging.getLogger(name))


def _say_once(of_tasks: logging.Logger) -> None:
    """Keep the logger of tasks off the terminal: the worker prints a line for each outcome itself.

    Files, mails and services that the project has connected still get its records. Handlers of this logger
    itself are the project's wish.
    """
    if of_tasks.handlers:
        return
    if logging.lastResort:
        logging.lastResort.addFilter(_is_not_of_tasks)
    above: logging.Logger | None = of_tasks
    while above is not None:
        for handler in above.handlers:
            if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
                handler.addFilter(_is_not_of_tasks)
        above = above.parent if above.propagate else None


def _is_not_of_tasks(record: logging.LogRecord) -> bool:
    return record.name not in OF_TASKS
