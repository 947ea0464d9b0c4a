"""The settings of the tests on the PostgreSQL at the port ``TEST_POSTGRES_PORT``."""

import os

from tests.settings import *  # noqa: F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["TEST_POSTGRES_PORT"],
        "NAME": "postgres",
        "USER": "postgres",
    }
}
