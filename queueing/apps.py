from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from .policies.limits import Limit
    from .policies.unique import HeadersOf


class QueueingConfig(AppConfig):
    """The app of the queue.

    ``ready`` only registers functions: it opens no connection and starts no thread.
    """

    name = "queueing"
    verbose_name = _("Message queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, conf  # noqa: F401
        from .policies import limits, unique
        from .transactional import transactions  # noqa: F401

        unique.add_finder(_unique_of)
        limits.add_finder(_HandlerLimits())
        if conf.names_backend():
            # The import registers Django's check of TASKS. ``check_tasks`` reports an import that fails.
            with suppress(ImproperlyConfigured):
                from .tasks import worker_integration

                worker_integration.register_schedules()


@cache
def _handlers() -> Any:
    """The module ``queueing.handlers``. It needs the app registry, so it is imported at the first use."""
    from . import handlers

    return handlers


def _unique_of(queue: str) -> "HeadersOf | None":
    found: HeadersOf | None = _handlers().unique_of(queue)
    return found


class _HandlerLimits:
    def headers_of(self, queue: str) -> "HeadersOf | None":
        found: HeadersOf | None = _handlers().limits_of(queue)
        return found

    def limit_of(self, queue: str) -> "Limit":
        found: Limit = _handlers().limit_of(queue)
        return found
