from contextlib import suppress
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from .unique import HeadersOf


class QueueingConfig(AppConfig):
    """The queue. ``ready`` only registers functions: no connection, no thread, no model."""

    name = "queueing"
    verbose_name = _("Message queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, conf, unique  # noqa: F401

        unique.add_finder(_unique_of)
        if conf.names_backend():
            # The import registers Django's check of TASKS. ``check_tasks`` reports an import that fails.
            with suppress(ImproperlyConfigured):
                from .tasks import worker_integration

                worker_integration.register_schedules()


def _unique_of(queue: str) -> "HeadersOf | None":
    from . import handlers

    return handlers.unique_of(queue)
