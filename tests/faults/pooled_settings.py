"""The settings of the fault tests with psycopg's pool, and a query before the worker forks."""

from .settings import *  # noqa: F403
from .settings import DATABASES, INSTALLED_APPS

DATABASES["default"] |= {"OPTIONS": {"pool": {"min_size": 2, "max_size": 4}}, "CONN_MAX_AGE": 0}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.asking_app"]
