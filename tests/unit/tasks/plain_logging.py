"""The settings of these tests in a project without a setting for its log, or with ``TEST_LOGGING``."""

import json
import os

from .settings import *  # noqa: F403

DEBUG = os.environ.get("TEST_DEBUG") == "1"
LOGGING = json.loads(os.environ.get("TEST_LOGGING", "{}"))
