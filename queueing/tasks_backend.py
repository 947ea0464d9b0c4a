"""The dotted path by which ``TASKS`` names the backend."""

from .tasks.backend import RSMQBackend

__all__ = ["RSMQBackend"]
