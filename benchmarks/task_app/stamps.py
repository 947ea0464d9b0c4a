"""Records the time of each run in a file. Each record is one system call."""

import os
import time

PATH = os.environ.get("STAMPS", os.devnull)
FILE = os.open(PATH, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def stamp() -> None:
    os.write(FILE, b"%.6f\n" % time.time())
