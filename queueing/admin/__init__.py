"""The console in Django's admin: one file per noun, its templates under ``admin/queueing``."""

from .jobs.admin import JobAdmin
from .queues.admin import QueueAdmin
from .schedules import ScheduleAdmin
from .workers import WorkerAdmin

__all__ = ["JobAdmin", "QueueAdmin", "ScheduleAdmin", "WorkerAdmin"]
