"""The settings of the site, with short requests for many messages (see ``apps``)."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "tests.browser.apps.ShortRequests"]
