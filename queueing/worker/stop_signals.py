"""The signals of a supervisor, read from a pipe like other input.

A signal handler interrupts the code of its process anywhere. If a handler took a lock, logged or printed, it
could wait for the interrupted code, and the process would hang. So the handlers here do nothing. Instead, the
interpreter writes the number of each signal into a pipe, and the main loop reads the pipe.
"""

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import FrameType

from .waker import Waker, readable

#: Signals that begin an orderly stop. A terminal sends SIGHUP when it is closed, and SIGQUIT for Ctrl-\.
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
#: Signals without a meaning for a worker. They are handled, because by default they would end its processes.
UNUSED_SIGNALS = frozenset({signal.SIGUSR1, signal.SIGUSR2})
#: One Ctrl-C may arrive twice within this time: from the terminal, and from a program in between.
REPEAT_SECONDS = 0.5


def do_nothing(number: int, frame: FrameType | None) -> None:
    """A signal handler that does nothing. SIG_IGN is not used, because started programs would inherit it."""


def leave_immediately(number: int, frame: FrameType | None) -> None:
    # No exception: Python would drop it in some callbacks, for example during an import.
    os._exit(0)


def handle(handler: signal.Handlers | object, numbers: Collection[int] = STOP_SIGNALS) -> None:
    """Set ``handler`` for these signals. SIGHUP stays ignored if nohup has ignored it."""
    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]


#: The pipe into which the interpreter writes the numbers of signals. This reference keeps it open.
_wakeup: Waker | None = None


class StopSignals:
    """Receives the signals of this process from now on. ``read`` processes those that have arrived.

    ``parent``, if given, is the read end of a pipe. If the pipe is closed, the parent process has ended, and
    this process must stop, too.
    """

    def __init__(self, parent: int | None = None) -> None:
        self._waker, self._parent = Waker(), parent
        self._stopped_at: float | None = None
        #: Whether to stop without waiting for running jobs.
        self.stops_now = False
        #: The names of the ``UNUSED_SIGNALS`` that the last ``read`` has found.
        self.unknown: list[str] = []
        global _wakeup
        signal.set_wakeup_fd(self._waker.write_end(), warn_on_full_buffer=False)
        _wakeup = self._waker
        handle(do_nothing, [*STOP_SIGNALS, signal.SIGCHLD, *filter(_is_free, UNUSED_SIGNALS)])
        # A process inherits the blocked signals of the program that starts it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, *STOP_SIGNALS, *UNUSED_SIGNALS})

    @property
    def stops(self) -> bool:
        """Whether the process must stop."""
        return self._stopped_at is not None

    def fileno(self) -> int:
        return self._waker.fileno()

    def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` until a signal arrives or the parent process ends. Then call ``read``."""
        sources = [self.fileno()]
        if self._parent is not None and not self.stops:
            sources.append(self._parent)
        ready = readable(sources, seconds)
        self.read()
        if self._parent in ready and not self.stops:
            self._stopped_at = time.monotonic()

    def read(self) -> None:
        """Read the signals that have arrived, and set ``stops``, ``stops_now`` and ``unknown``."""
        numbers = self._waker.read()
        self.unknown = [signal.Signals(number).name for number in numbers if number in UNUSED_SIGNALS]
        now = time.monotonic()
        if self._stopped_at is None and STOP_SIGNALS & set(numbers):
            self._stopped_at = now
        is_repeat = self._stopped_at is not None and now - self._stopped_at > REPEAT_SECONDS
        if signal.SIGQUIT in numbers or (signal.SIGINT in numbers and is_repeat):
            self.stops_now = True


def bury_orphans(own: Collection[int]) -> None:
    """Reap dead orphans (processes whose parents have ended) if this process is process 1 of a container. The
    processes ``own`` are left to the caller.
    """
    if os.getpid() != 1:
        return
    with suppress(ChildProcessError):
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid in own:
                return  # Its exit status is for the caller, whom SIGCHLD wakes again.
            os.waitpid(dead.si_pid, os.WNOHANG)


def _is_free(number: int) -> bool:
    """Whether the signal has no handler of the project.

    ``signal.getsignal`` is not enough, because it does not report the handlers that ``faulthandler`` sets.
    """
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        caught = int(next(line for line in lines if line.startswith("SigCgt:")).split()[1], 16)
        return not caught >> (number - 1) & 1
    return signal.getsignal(number) is signal.SIG_DFL
