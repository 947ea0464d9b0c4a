"""The settings of these tests in a project that says nothing about its log, or what ``TEST_LOGGING`` says."""

import json
import os

from .settings import *  # noqa: F403

DEBUG = os.environ.get("TEST_DEBUG") == "1"
LOGGING = json.loads(os.environ.get("TEST_LOGGING", "{}"))
