"""The console in Django's admin: one file per noun, its templates under ``admin/queueing``."""

from .job import JobAdmin
from .queue import QueueAdmin
from .schedule import ScheduleAdmin
from .worker import WorkerAdmin

__all__ = ["JobAdmin", "QueueAdmin", "ScheduleAdmin", "WorkerAdmin"]
