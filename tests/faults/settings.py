"""The site's settings with the handlers of the fault tests, tuned by environment variables.

``TEST_QUEUES`` and ``TEST_APPS`` (additional apps; both separated by spaces), ``TEST_LEASE`` and
``TEST_TIMEOUT`` (seconds), ``TEST_NAMESPACE``, ``TEST_OUTBOX_MAX`` (bytes), ``TEST_PARTITIONS`` and
``TEST_PLACES`` (JSON).

The lease is that of a worker without settings, so that a machine that stalls for some seconds costs no run.
A test that waits for the end of a lease names a short one.
"""

import json
import os

from mqsite.settings import *  # noqa: F403
from mqsite.settings import INSTALLED_APPS as SITE_APPS
from mqsite.settings import QUEUEING as SITE_QUEUEING

INSTALLED_APPS = [*SITE_APPS, "tests.faults.app", *os.environ.get("TEST_APPS", "").split()]

QUEUEING = {
    **SITE_QUEUEING,
    "QUEUES": os.environ.get("TEST_QUEUES", "ledger brisk slow raising flaky sending hard").split(),
    "NAMESPACE": os.environ.get("TEST_NAMESPACE", "rsmq"),
    "LEASE": float(os.environ.get("TEST_LEASE", "10")),
    "TIMEOUT": float(os.environ.get("TEST_TIMEOUT", "1")),
    "OUTBOX_MAX": int(os.environ.get("TEST_OUTBOX_MAX", "8000000")),
    "PARTITIONS": json.loads(os.environ.get("TEST_PARTITIONS", "{}")),
    "PLACES": json.loads(os.environ.get("TEST_PLACES", "{}")),
}
