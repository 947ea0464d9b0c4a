"""Creates the first account of the admin from Django's own environment variables.

A one-click deployment runs ``python -m mqsite.first_admin``. A second run changes nothing.
"""

import os
import sys

import django
from django.core.management import execute_from_command_line

from .startup import require_variables


def main() -> None:
    """Create a superuser from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL, unless a superuser exists."""
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
