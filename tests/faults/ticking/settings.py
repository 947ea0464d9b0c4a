"""The settings of the fault tests with the schedules of this app."""

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import INSTALLED_APPS as FAULT_APPS
from tests.faults.settings import QUEUEING as FAULT_QUEUEING

INSTALLED_APPS = [*FAULT_APPS, "tests.faults.ticking"]
# A tick that was killed runs again before the test has seen the ticks that it waits for.
QUEUEING = {**FAULT_QUEUEING, "LEASE": 2.0}
