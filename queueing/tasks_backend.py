"""The task backend under its short path ``queueing.tasks_backend.RSMQBackend``, for the setting ``TASKS``."""

from .tasks.backend import RSMQBackend

__all__ = ["RSMQBackend"]
