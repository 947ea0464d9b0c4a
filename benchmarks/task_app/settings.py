"""The site's settings with tasks and handlers that do nothing."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "benchmarks.task_app"]
TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend", "QUEUES": ["default"]}}
