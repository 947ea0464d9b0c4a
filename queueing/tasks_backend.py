"""Has the backend class under a short dotted path, for the setting ``TASKS``."""

from .tasks.backend import RSMQBackend

__all__ = ["RSMQBackend"]
