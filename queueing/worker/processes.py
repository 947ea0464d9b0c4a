"""The processes of a worker, as the system sees them: how one lives, ends, and is ended with its programs."""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import psutil

from .forks import watch_forks
from .signals import STOP_SIGNALS, UNUSED_SIGNALS

logger = logging.getLogger("queueing.worker")

#: The exit code of a child that makes room for a new one.
RETIRED = 75
#: In the place of an exit code: somebody else in the process has waited for this child.
UNSEEN = 256


def fork(life: Callable[[], int | None]) -> int:
    """Fork a process that does nothing but ``life``. Returns its number; raises ``OSError``.

    The stop signals are held back until it has its own handlers.
    """
    held_back = STOP_SIGNALS | UNUSED_SIGNALS
    signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
    try:
        pid = os.fork()
        if pid == 0:
            _live(life, held_back)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)


def _live(life: Callable[[], int | None], held_back: frozenset[signal.Signals]) -> NoReturn:
    """Nothing that is raised here may get back into the supervisor's code."""
    code = 1
    try:
        # Signals to the group reach the supervisor alone, and the programs of a child are its session.
        os.setsid()
        # The handlers stay the supervisor's, which do nothing, but no longer write into its pipe.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)
        watch_forks()
        code = life() or 0
    except BaseException:
        logger.exception("process %d failed", os.getpid())
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit without the clean-up that belongs to the process from which this one was forked."""
    try:
        logging.shutdown()
    finally:
        os._exit(code)


def ended(pid: int) -> int | None:
    """The exit code of a child that has ended, negative if a signal killed it; ``None`` while it lives."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return UNSEEN
    return os.waitstatus_to_exitcode(status) if found else None


def reason(code: int) -> str:
    """How a process ended, in words."""
    if code == UNSEEN:
        return "ended, and something else has taken its exit code"
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


def kill(pid: int) -> None:
    """Kill a process that leads a session, with its programs."""
    programs = _descendants(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    kill_programs(pid)
    for program in programs:
        with suppress(psutil.Error):
            program.kill()


def kill_programs(pid: int) -> None:
    """Kill the programs that a dead leader of a session has left in it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except (psutil.Error, OSError):
        return []
