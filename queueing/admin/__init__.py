"""The console: pages for queues, jobs, workers, schedules, batches and staged messages in Django's admin.

Django imports this package at the start of every process. The modules of the pages are imported only when the
admin is used, so that a worker starts without them. The templates are in ``admin/queueing``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.utils.functional import SimpleLazyObject

from queueing import models

if TYPE_CHECKING:
    from .batches import BatchAdmin
    from .jobs.admin import JobAdmin
    from .queues.admin import QueueAdmin
    from .schedules import ScheduleAdmin
    from .staged.admin import StagedMessageAdmin
    from .workers import WorkerAdmin

__all__ = ["BatchAdmin", "JobAdmin", "QueueAdmin", "ScheduleAdmin", "StagedMessageAdmin", "WorkerAdmin"]

#: The module and the model of each page.
PAGES: dict[str, tuple[str, type[Model]]] = {
    "BatchAdmin": ("batches", models.Batch),
    "JobAdmin": ("jobs.admin", models.Job),
    "QueueAdmin": ("queues.admin", models.Queue),
    "ScheduleAdmin": ("schedules", models.Schedule),
    "StagedMessageAdmin": ("staged.admin", models.StagedMessage),
    "WorkerAdmin": ("workers", models.Worker),
}


def __getattr__(name: str) -> Any:
    if name not in PAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{PAGES[name][0]}", __name__), name)


def _register(name: str, model: type[Model]) -> None:
    def page(model: type[Model], site: admin.AdminSite) -> SimpleLazyObject:
        return SimpleLazyObject(lambda: __getattr__(name)(model, site))

    admin.site.register(model, page)  # type: ignore[arg-type]


for _name, (_, _model) in PAGES.items():
    _register(_name, _model)
