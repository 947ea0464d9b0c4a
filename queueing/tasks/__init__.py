"""Django's tasks on the queue, for code that runs on both Django 5.2 and Django 6::

    from queueing.tasks import policy, task

    @policy(max_attempts=3)
    @task
    def resize(picture_id): ...

``task`` is the decorator of ``django.tasks`` on Django 6, and of the backport ``django_tasks`` on Django 5.2.
A project that supports only one Django version can import the decorator from that package. With a backend
other than ``RSMQBackend``, ``policy`` and ``progress`` have no effect.
"""

from queueing.context import current
from queueing.policies import GiveUp, RetryIn, Snooze, policy

from .compat import TaskContext, TaskResult, TaskResultDoesNotExist, TaskResultStatus, task

__all__ = [
    "GiveUp", "RetryIn", "Snooze", "TaskContext", "TaskResult", "TaskResultDoesNotExist", "TaskResultStatus",
    "policy", "progress", "task",
]  # fmt: skip


def progress(fraction: float, note: str = "") -> None:
    """Report the progress of the running task: a fraction from 0.0 to 1.0, and a short note."""
    context = current.get()
    if context is not None:
        context.progress(fraction, note)
