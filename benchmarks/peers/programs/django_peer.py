"""The Django project of the peers that need one. Each names its settings before it imports the jobs."""

import os
from urllib.parse import urlsplit

import common
import django
from django.conf import settings
from django.core.management import call_command


def configure(*apps: str, **more: object) -> None:
    """Django's settings with the database of the peer: PostgreSQL, or a file of SQLite without one."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{os.environ['PEER_STAMPS']}.sqlite3"}
    if common.DATABASE_URL:
        parts = urlsplit(common.DATABASE_URL)
        database = {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "USER": parts.username}
        database |= {"HOST": parts.hostname, "PORT": str(parts.port)}
    settings.configure(
        SECRET_KEY="peer", INSTALLED_APPS=apps, DATABASES={"default": database}, USE_TZ=True, **more
    )
    django.setup()


def setup() -> None:
    call_command("migrate", verbosity=0)
