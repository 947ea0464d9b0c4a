"""The public path of the backend for Django's tasks."""

from .tasks.backend import RSMQBackend

__all__ = ["RSMQBackend"]
