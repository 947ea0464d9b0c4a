"""The first account of the admin: for development one of its own, else by Django's own variables.

``python -m mqsite.first_admin`` is what a one-click deployment runs once, and may run again.
"""

import os
import secrets
import sys
from pathlib import Path

import django
from django.core.management import execute_from_command_line

from .private_file import write_private
from .startup import require_variables

USERNAME = "admin"


def development_password(file: Path) -> str | None:
    """Make the account ``admin`` where it is missing, with its password in ``file`` (mode 0600).

    ``None`` where the developer has given it another password since. Django has to be set up.
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
    """Make a superuser of DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL unless there is one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mqsite.settings")
    require_variables({"DATABASE_URL"})
    django.setup()
    from django.contrib.auth import get_user_model

    if get_user_model().objects.filter(is_superuser=True).exists():
        sys.stdout.write("There is an admin already.\n")
        return
    execute_from_command_line(["manage.py", "createsuperuser", "--noinput"])


if __name__ == "__main__":
    main()
