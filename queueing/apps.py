from contextlib import suppress

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class QueueingConfig(AppConfig):
    """The queue. ``ready`` only registers system checks: no connection, no thread, no model."""

    name = "queueing"
    verbose_name = _("Message queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, conf  # noqa: F401

        if conf.names_backend():
            # The import registers Django's check of TASKS. ``check_tasks`` reports an import that fails.
            with suppress(ImproperlyConfigured):
                from .tasks import worker_integration

                worker_integration.register_schedules()
