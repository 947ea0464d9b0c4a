"""The task backend under the short dotted path that the setting ``TASKS`` uses."""

from .tasks.backend import RSMQBackend

__all__ = ["RSMQBackend"]
