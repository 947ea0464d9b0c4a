"""Whether anybody hears a signal of Django's tasks.

Mostly only Django's own log line does, at a level that is not logged; and what is not heard need not be
sent, which a worker of tiny tasks feels.
"""

import logging
from collections.abc import Callable
from typing import Any

from .compat import signals


def hears_enqueued() -> bool:
    return _hears(signals.task_enqueued, signals.log_task_enqueued, logging.DEBUG)


def hears_runs() -> bool:
    """Whether anybody hears that a task has started, or has finished well."""
    return _hears(signals.task_started, signals.log_task_started, logging.INFO) or _hears(
        signals.task_finished, signals.log_task_finished, logging.INFO
    )


def _hears(signal: Any, log: Callable[..., None], level: int) -> bool:
    receivers = signal.receivers
    is_log_alone = len(receivers) == 1 and receivers[0][0][0] == id(log)
    return signals.logger.isEnabledFor(level) if is_log_alone else bool(receivers)
