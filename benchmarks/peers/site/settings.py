"""The site's settings with the handler of the benchmarks."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS
from mqsite.settings import QUEUEING as SITE_QUEUEING

INSTALLED_APPS = [*SITE_APPS, "benchmarks.peers.site"]
QUEUEING = {**SITE_QUEUEING, "QUEUES": ["bench"]}
TASKS = {"default": {"BACKEND": "queueing.tasks_backend.RSMQBackend", "QUEUES": []}}
