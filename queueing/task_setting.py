"""What the setting ``TASKS`` says, read without importing any of Django's tasks.

On Django 5.2 they need a backport, which a project without tasks does not have.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings

BACKEND = "queueing.tasks_backend.RSMQBackend"
#: Backends of these packages are certainly not ours.
DJANGO_S_OWN = ("django.tasks.", "django_tasks.")


def may_name_ours() -> bool:
    """Whether some backend of ``TASKS`` is ours or may be derived from it."""
    return any(not path.startswith(DJANGO_S_OWN) for path in _paths())


def names_ours() -> bool:
    """Whether ``TASKS`` names our backend itself."""
    return BACKEND in _paths()


def _paths() -> Iterator[str]:
    setting: Any = getattr(settings, "TASKS", None)
    for params in setting.values() if isinstance(setting, dict) else ():
        yield str(params.get("BACKEND", "")) if isinstance(params, dict) else ""
