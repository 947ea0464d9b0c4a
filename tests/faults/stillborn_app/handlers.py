"""Handlers of an app after whose import every forked process dies immediately."""

import os

from . import EXIT_CODE

os.register_at_fork(after_in_child=lambda: os._exit(EXIT_CODE))
