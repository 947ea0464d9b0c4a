"""The site's settings with the tasks of these tests on our backend, for real workers."""

import os

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import INSTALLED_APPS as FAULT_APPS

INSTALLED_APPS = [*FAULT_APPS, "tests.unit.tasks.app"]

TASKS = {
    "default": {
        "BACKEND": "queueing.tasks_backend.RSMQBackend",
        "QUEUES": os.environ.get("TEST_TASK_QUEUES", "default mails").split(),
    }
}
