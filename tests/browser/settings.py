"""The settings of the site, with other times (see ``apps``)."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS
from mqsite.settings import QUEUEING as SITE_QUEUEING
from tests.support.waiting import HANG_SECONDS

INSTALLED_APPS = [*SITE_APPS, "tests.browser.apps.OtherTimes"]
QUEUEING = {**SITE_QUEUEING, "TIMEOUT": HANG_SECONDS}
