"""The site with what a project may put around all of its views."""

from mqsite.settings import *  # noqa: F403
from mqsite.settings import DATABASES as SITE_DATABASES
from mqsite.settings import MIDDLEWARE as SITE_MIDDLEWARE

DATABASES = {alias: {**SITE_DATABASES["default"], "ATOMIC_REQUESTS": True} for alias in ("default", "second")}
MIDDLEWARE = [*SITE_MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
MIDDLEWARE.remove("mqsite.probes.ProbeMiddleware")
SESSION_SAVE_EVERY_REQUEST = True
