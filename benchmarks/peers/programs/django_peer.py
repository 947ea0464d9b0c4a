"""The Django project for peers that need Django. They call ``configure`` before they import their jobs."""

import os
from urllib.parse import urlsplit

import common
import django
from django.conf import settings
from django.core.management import call_command


def configure(*apps: str, **more: object) -> None:
    """Configure Django with these applications, the peer's database, and ``more`` settings.

    The database is the peer's PostgreSQL or, if the peer has none, a SQLite file.
    """
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
