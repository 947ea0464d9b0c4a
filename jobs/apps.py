from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """What this one site does with the queue: its page and its job functions."""

    name = "jobs"
    verbose_name = _("Jobs")
