"""Django's tasks on our queue, for code that runs on Django 5.2 and 6 alike::

    from queueing.tasks import policy, task

    @policy(max_attempts=3)
    @task
    def resize(picture_id): ...

On Django 6 ``task`` is that of ``django.tasks``, on Django 5.2 that of the backport ``django_tasks``; on
one Django alone its own import does as well. All of this is inert under any other backend.
"""

from queueing.context import current
from queueing.policies import GiveUp, RetryIn, Snooze, policy

from .compat import TaskContext, TaskResult, TaskResultStatus, task

__all__ = [
    "GiveUp", "RetryIn", "Snooze", "TaskContext", "TaskResult", "TaskResultStatus",
    "policy", "progress", "task",
]  # fmt: skip


def progress(fraction: float, note: str = "") -> None:
    """Show in the console how far the running task is: 0.0 to 1.0, and a few words."""
    context = current.get()
    if context is not None:
        context.progress(fraction, note)
