"""The settings of the fault tests with the schedules of this app."""

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import INSTALLED_APPS as FAULT_APPS

INSTALLED_APPS = [*FAULT_APPS, "tests.faults.ticking"]
