from contextlib import suppress
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from .limits import Limit
    from .unique import HeadersOf


class QueueingConfig(AppConfig):
    """The queue. ``ready`` only registers functions: no connection, no thread, no model."""

    name = "queueing"
    verbose_name = _("Message queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, conf, limits, unique  # noqa: F401
        from .transactional import transactions  # noqa: F401

        unique.add_finder(_unique_of)
        limits.add_finder(_HandlerLimits())
        if conf.names_backend():
            # The import registers Django's check of TASKS. ``check_tasks`` reports an import that fails.
            with suppress(ImproperlyConfigured):
                from .tasks import worker_integration

                worker_integration.register_schedules()


def _unique_of(queue: str) -> "HeadersOf | None":
    from . import handlers

    return handlers.unique_of(queue)


class _HandlerLimits:
    """Imports the module of the handlers late: it needs the apps."""

    def headers_of(self, queue: str) -> "HeadersOf | None":
        from . import handlers

        return handlers.limits_of(queue)

    def limit_of(self, queue: str) -> "Limit":
        from . import handlers

        return handlers.limit_of(queue)
