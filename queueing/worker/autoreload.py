"""Runs a worker for development, and restarts it when the project's code changes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from django.utils.autoreload import iter_all_python_module_files

from queueing import handlers

from .stop_signals import StopSignals, bury_orphans

LOOK_SECONDS = 1.0
#: How long the command may take to stop, including its own grace time.
PATIENCE_SECONDS = 40.0


def watch(argv: Sequence[str]) -> None:
    """Run ``python`` with ``argv`` (a ``runworker`` command), and restart it when a Python file changes.

    Returns after a stop signal, when the command has stopped.
    """
    signals = StopSignals()
    # If this process is killed, the pipe closes and the command stops by itself.
    parent, _end = os.pipe()
    while not signals.stops:
        seen = _times()
        process = subprocess.Popen([sys.executable, *argv, "--parent", str(parent)], pass_fds=[parent])
        # If the command ends by itself, the code probably has a mistake: wait for the next change. If a
        # signal has killed it, so that its return code is negative, start it again.
        while not signals.stops and _times() == seen and (process.returncode or 0) >= 0:
            signals.wait(LOOK_SECONDS)
            process.poll()
            bury_orphans({process.pid})
        _stop(process, signals)


def _stop(process: subprocess.Popen[bytes], signals: StopSignals) -> None:
    """Stop the command gracefully, or faster after a second Ctrl-C. Kill it after ``PATIENCE_SECONDS``."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    process.send_signal(signal.SIGTERM)
    has_repeated = False
    while process.poll() is None and time.monotonic() < give_up:
        if signals.stops_now and not has_repeated:
            process.send_signal(signal.SIGQUIT)
            has_repeated = True
        signals.wait(0.1)
    process.kill()
    process.wait()


def _times() -> dict[Path, float]:
    """Import each ``handlers.py``. Returns path -> modification time of each imported Python file."""
    # The command itself shows the mistakes in the code.
    with suppress(Exception):
        handlers.discover()
    times: dict[Path, float] = {}
    for path in iter_all_python_module_files():
        try:
            times[path] = path.stat().st_mtime
        except OSError:
            continue
    return times
