"""The site, with the queues of a small shop beside its own."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS, QUEUEING, VAR_DIR

INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
QUEUEING = {**QUEUEING, "QUEUES": ["testqueue", "emails", "thumbnails", "invoices"]}
# A separate folder, so that a site or tests that run at the same time keep their files.
STATIC_ROOT = VAR_DIR / "screenshots"
