"""``python -m mqsite.devserver``, the command of ``make run``.

It reads the environment variables PORT, REDIS_URL, DATABASE_URL and EMBEDDED_REDIS. With
``EMBEDDED_REDIS=fake``, Redis is in memory even if a Redis is installed.
"""

import os
import sys

from . import front
from .run import run

if __name__ == "__main__":
    # Messages, accounts and passwords of the developer are not for other users of the machine.
    os.umask(0o077)
    sys.exit(front.supervised(run))
