"""The test settings with two databases of one engine (``TEST_ENGINE``), whose server is at ``TEST_PORT``."""

import os

from tests.settings import *  # noqa: F403

ENGINE = os.environ.get("TEST_ENGINE", "sqlite3")
USERS = {"postgresql": "postgres", "mysql": "root"}
DATABASES = {
    alias: {
        "ENGINE": f"django.db.backends.{ENGINE}",
        "NAME": f"file:{alias}?mode=memory&cache=shared" if ENGINE == "sqlite3" else alias,
        "HOST": "127.0.0.1",
        "PORT": os.environ.get("TEST_PORT", ""),
        "USER": USERS.get(ENGINE, ""),
        "OPTIONS": {"charset": "utf8mb4"} if ENGINE == "mysql" else {},
    }
    for alias in ("default", "other")
}
