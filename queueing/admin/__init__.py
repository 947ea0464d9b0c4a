"""The console in Django's admin: one file per noun, its templates under ``admin/queueing``."""

from .job import JobAdmin
from .queue import QueueAdmin

__all__ = ["JobAdmin", "QueueAdmin"]
