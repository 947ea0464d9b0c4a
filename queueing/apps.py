from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from .policies.above import above


class QueueingConfig(AppConfig):
    """The Django app of this package.

    Its ``ready`` only registers functions: it opens no connection and starts no thread.
    """

    name = "queueing"
    verbose_name = _("Message queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, conf  # noqa: F401
        from .transactional import transactions  # noqa: F401

        above.handler_of = _handler_of
        if conf.names_backend():
            # The import registers Django's check of TASKS. ``check_tasks`` reports an import that fails.
            with suppress(ImproperlyConfigured):
                from .tasks import worker_integration

                worker_integration.register_schedules()


def _handler_of(queue: str) -> Any:
    # It needs the app registry, so it is imported at the first use.
    from . import handlers

    above.handler_of = handlers.known_to_sender
    return handlers.known_to_sender(queue)
