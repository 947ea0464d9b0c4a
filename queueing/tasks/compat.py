"""Django's tasks: ``django.tasks`` on Django 6, the backport ``django_tasks`` on Django 5.2.

Both packages have the same API except for a few names. Only this module imports them.
"""

import logging

from django.core.exceptions import ImproperlyConfigured

try:
    from django.tasks import checks, signals, task, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
    from django.utils.json import normalize_json
except ImportError:
    try:
        from django_tasks import checks, signals, task, task_backends  # type: ignore[no-redef]
        from django_tasks.backends.base import BaseTaskBackend  # type: ignore[no-redef]
        from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus  # type: ignore[no-redef]
        from django_tasks.exceptions import InvalidTaskError as InvalidTask  # type: ignore[no-redef]
        from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch  # type: ignore[no-redef]
        from django_tasks.utils import normalize_json  # type: ignore[no-redef]
    except ImportError as error:
        raise ImproperlyConfigured(
            'Tasks on Django 5.2 need the extra: pip install "django-rsmq[tasks]". Django 6 has them itself.'
        ) from error

#: The modules ``checks`` and ``signals`` are also imported for their effects. ``checks`` registers Django's
#: system check of task backends. ``signals`` connects the receivers with which Django logs tasks.
__all__ = [
    "BaseTaskBackend", "InvalidTask", "Task", "TaskContext", "TaskError", "TaskResult",
    "TaskResultDoesNotExist", "TaskResultMismatch", "TaskResultStatus", "checks", "has_own_receivers",
    "is_enqueue_heard", "normalize_json", "signals", "task", "task_backends",
]  # fmt: skip


def is_enqueue_heard() -> bool:
    """Whether the project has a receiver for ``task_enqueued``, or Django logs this signal."""
    return has_own_receivers() or signals.logger.isEnabledFor(logging.DEBUG)


def has_own_receivers() -> bool:
    """Whether the project has a receiver for ``task_enqueued``.

    The receiver with which Django logs this signal does not count.
    """
    djangos = id(signals.log_task_enqueued)
    return bool([entry for entry in signals.task_enqueued.receivers if entry[0][0] != djangos])
