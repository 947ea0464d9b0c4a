"""``python -m mqsite.devserver.database``: runs the migrations, and prints how to log in to the admin."""

import os
import secrets
import sys
from pathlib import Path

import django
from django.core.management import call_command
from django.db import DatabaseError

from mqsite.startup import require_variables

from .private import VAR_DIR, write_private

USERNAME = "admin"


def login() -> str:
    """A sentence that explains how to log in to the admin.

    Without ``DATABASE_URL``, the database belongs to ``make run``, and its account ``admin`` is created.
    """
    if os.environ.get("DATABASE_URL"):
        return "log in with an account of your database, or make one: manage.py createsuperuser"
    password = development_password(VAR_DIR / "admin-password")
    return f"log in as {USERNAME}, password {password or 'as you chose it'}"


def development_password(file: Path) -> str | None:
    """Create the account ``admin`` if it is missing, and return its password, which ``file`` stores.

    If ``file`` is missing, the account gets a new password. Returns ``None`` if the developer has changed the
    password.
    """
    from django.contrib.auth import get_user_model

    user_model = get_user_model()
    user = user_model.objects.filter(**{user_model.USERNAME_FIELD: USERNAME}).first()
    if user and file.is_file():
        password = file.read_text().strip()
        return password if user.check_password(password) else None
    password = secrets.token_urlsafe(12)
    write_private(file, password + "\n")
    if user:
        user.set_password(password)
        user.save()
    else:
        user_model.objects.create_superuser(USERNAME, "", password)
    return password


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    require_variables()
    django.setup()
    try:
        call_command("migrate", verbosity=0)
        sys.stdout.write(login())
    except DatabaseError as error:
        sys.exit(f"The database cannot be used: {error}")


if __name__ == "__main__":
    main()
