"""The test settings with a database of MariaDB that stores no characters of four bytes, such as emoji."""

import os

from tests.settings import *  # noqa: F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "history",
        "HOST": "127.0.0.1",
        "PORT": os.environ["TEST_PORT"],
        "USER": "root",
        "TEST": {"CHARSET": "utf8mb3"},
    }
}
