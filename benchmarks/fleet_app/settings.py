"""The site's settings with the handlers of the fleet."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "benchmarks.fleet_app"]
