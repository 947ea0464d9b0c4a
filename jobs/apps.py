from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """The application of this site: its page and its jobs."""

    name = "jobs"
    verbose_name = _("Jobs")
