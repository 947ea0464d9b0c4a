"""The fault tests' settings with messages that are staged in the default database."""

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import QUEUEING as FAULT_QUEUEING

QUEUEING = {**FAULT_QUEUEING, "RELAY_DATABASES": ["default"]}
