"""The tasks' test settings of a project without time zones, which is far from Greenwich."""

from tests.unit.tasks.settings import *  # noqa: F403

USE_TZ = False
TIME_ZONE = "America/New_York"
SECURE_SSL_REDIRECT = False
ALLOWED_HOSTS = ["localhost"]
