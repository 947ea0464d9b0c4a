"""An application under which the system refuses to fork while a file exists."""

import errno
import os
from pathlib import Path

from django.apps import AppConfig

#: The variable that names the file.
REFUSED_WHILE = "TEST_REFUSED_WHILE"


class RefusingConfig(AppConfig):
    name = "tests.faults.refusing_app"

    def ready(self) -> None:
        fork = os.fork

        def refusing() -> int:
            if Path(os.environ[REFUSED_WHILE]).exists():
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return fork()

        os.fork = refusing
