"""The site, with the queues of a small shop beside its own."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS, QUEUEING

INSTALLED_APPS = [*INSTALLED_APPS, "docs.screenshots.shop"]
QUEUEING = {**QUEUEING, "QUEUES": ["testqueue", "emails", "thumbnails", "invoices"]}
