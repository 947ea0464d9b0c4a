"""The front: the process that is attached to the terminal. It passes signals on to the supervisor.

The supervisor leads a session of its own, so Ctrl-C reaches it only through the front. If the front is
killed, a pipe between the two processes closes, and the supervisor stops. If the supervisor is killed, the
front stops the programs of the supervisor.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

from . import programs

#: Each of these signals begins an orderly stop. The terminal sends SIGHUP when it is closed, and SIGQUIT for
#: Ctrl-\.
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
#: One Ctrl-C may arrive twice within this time, from the terminal and from make. It counts once.
REPEAT_SECONDS = 0.5


class Signals:
    """The signals that the supervisor receives. Python writes the number of each signal into a pipe."""

    def __init__(self, front: int) -> None:
        """``front`` is the read end of a pipe that closes when the front process ends."""
        self._front = front
        self._numbers, write_end = os.pipe()
        os.set_blocking(self._numbers, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._stopped_at: float | None = None
        self._is_urgent = False
        #: Whether the front was killed.
        self.front_is_gone = False

    def stops(self, seconds: float = 0.0) -> bool:
        """Whether a signal to stop has arrived, or arrives within ``seconds``.

        The end of the front process counts as such a signal.
        """
        self._wait(seconds)
        return self._stopped_at is not None

    def stops_now(self, seconds: float = 0.0) -> bool:
        """Whether a second Ctrl-C or a SIGQUIT has arrived, or arrives within ``seconds``.

        The programs must then stop without finishing their work.
        """
        self._wait(seconds)
        return self._is_urgent

    def _wait(self, seconds: float) -> None:
        watched = [self._numbers] if self.front_is_gone else [self._numbers, self._front]
        ready, _, _ = select.select(watched, [], [], seconds)
        now = time.monotonic()
        if self._front in ready:
            self.front_is_gone, self._stopped_at = True, self._stopped_at or now
        numbers = STOP_SIGNALS & set(os.read(self._numbers, 4096) if self._numbers in ready else b"")
        is_repeat = self._stopped_at is not None and now - self._stopped_at > REPEAT_SECONDS
        self._is_urgent |= signal.SIGQUIT in numbers or (signal.SIGINT in numbers and is_repeat)
        if numbers and self._stopped_at is None:
            self._stopped_at = now


def supervised(supervise: Callable[[Signals, int], int]) -> int:
    """Call ``supervise`` in a forked process, and return its exit code.

    The forked process survives if its parent is killed.

    ``supervise`` gets the signals of the forked process, and a file descriptor. For each program that it
    starts, ``supervise`` must write a line with the program's process group to this descriptor.

    This function returns in both processes, in the parent after the end of the forked process. The stop
    signals are then blocked, so that no signal kills a process that is about to exit.
    """
    signals = {n for n in STOP_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}  # nohup ignores SIGHUP
    signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
    for number in (*signals, signal.SIGCHLD):
        signal.signal(number, do_nothing)
    read_end, write_end = os.pipe()
    started, report = os.pipe()
    if supervisor := os.fork():
        os.close(read_end)
        os.close(report)
        code = _pass_on(signals, supervisor)
        if code < 0:
            _stop_programs(started)
        return code & 0xFF
    os.close(write_end)
    os.close(started)
    os.setsid()
    received = Signals(read_end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals | {signal.SIGCHLD})
    try:
        return supervise(received, report)
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)


def do_nothing(number: int, frame: FrameType | None) -> None:
    """A signal handler that does nothing. SIG_IGN is not used, because started programs would inherit it."""


def _pass_on(signals: set[signal.Signals], supervisor: int) -> int:
    """Pass signals on until the supervisor has ended.

    Returns the exit code of the supervisor, which is negative if a signal killed the supervisor.
    """
    while True:
        number = signal.sigwait(signals | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(supervisor, number)
            continue
        # As process 1 of a container, this process also has the orphans of other programs as children.
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == supervisor:
                return os.waitstatus_to_exitcode(found[1])


def _stop_programs(started: int) -> None:
    """Stop the programs of a supervisor that was killed, in the opposite order of their start.

    Their process groups are read from the file descriptor ``started``.
    """
    for number in reversed(os.read(started, 4096).split()):
        programs.stop([programs.Group(int(number))])
