"""Runs a command and starts it anew when the project's code changes. For development."""

import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGTERM, set_wakeup_fd, signal

from django.utils.autoreload import iter_all_python_module_files

from .. import handlers
from .pipes import Bell

LOOK_SECONDS = 1.0
#: What the command may take to stop beyond its own grace time.
PATIENCE_SECONDS = 40.0


def watch(argv: Sequence[str]) -> None:
    """Keep ``python argv`` running, anew after each change of a Python file it uses.

    Returns after SIGTERM or SIGINT, when the command has stopped.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signals = Bell()
    set_wakeup_fd(signals.write_end(), warn_on_full_buffer=False)
    signal(SIGTERM, stop)
    signal(SIGINT, stop)
    while not stopping:
        seen = _times()
        process = subprocess.Popen([sys.executable, *argv])
        # A command that ends by itself (a mistake in the code) waits for the next change, too.
        while not stopping and _times() == seen:
            select.select([signals.fileno()], [], [], LOOK_SECONDS)
        if process.poll() is None:
            process.send_signal(SIGTERM)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _times() -> dict[Path, float]:
    """When each file that is imported, and each ``handlers.py``, was last changed."""
    # What is wrong with the code the command itself shows.
    with suppress(Exception):
        handlers.discover()
    times: dict[Path, float] = {}
    for path in iter_all_python_module_files():
        try:
            times[path] = path.stat().st_mtime
        except OSError:
            continue
    return times
