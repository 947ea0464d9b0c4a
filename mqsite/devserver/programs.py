"""The programs that ``make run`` starts. Each leads a session of its own, so Ctrl-C does not reach it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any

import psutil

from .private import BASE_DIR

#: Seconds that programs may take to stop. A worker has a grace time, and Redis writes its file.
STOP_SECONDS = 30.0
#: Seconds that a worker may take to stop if it gives back its messages instead of finishing them.
STOP_NOW_SECONDS = 8.0


class Group:
    """A process group: a program, and its descendants in the group."""

    #: The signal with which the program stops without finishing its work.
    stops_now_at = signal.SIGKILL

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def is_gone(self) -> bool:
        try:
            os.killpg(self.number, 0)
        except (ProcessLookupError, PermissionError):  # macOS answers so for a group of zombies
            return True
        # Zombies count as gone: in a container, there may be no process that reaps orphans.
        return not any(map(self._has, psutil.process_iter()))

    def _has(self, process: psutil.Process) -> bool:
        try:
            in_group = os.getpgid(process.pid) == self.number
            return in_group and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, number)

    def kill(self) -> None:
        """Kill the group, and the descendants of its leader that are in other groups."""
        descendants: list[psutil.Process] = []
        with suppress(psutil.Error):
            descendants = psutil.Process(self.number).children(recursive=True)
        self.send(signal.SIGKILL)
        for process in descendants:
            with suppress(psutil.Error):
                process.kill()


class Program(Group):
    def __init__(self, name: str, process: subprocess.Popen[Any]) -> None:
        super().__init__(process.pid)
        self.name, self._process = name, process

    @property
    def exit_code(self) -> int | None:
        """The exit code, ``None`` while the program runs. -9 means that signal 9 killed the program."""
        return self._process.poll()

    @property
    def is_gone(self) -> bool:
        return self.exit_code is not None and super().is_gone


def start(
    name: str,
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
    keeps: Sequence[int] = (),
    report: int | None = None,
) -> Program:
    """Start a program in the project folder. The program inherits the file descriptors in ``keeps``.

    If ``report`` is given, a line with the process group of the program is written to this file descriptor.
    """
    process = subprocess.Popen(
        command,
        cwd=BASE_DIR,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=keeps,
    )
    if report is not None:
        os.write(report, f"{process.pid}\n".encode())
    return Program(name, process)


def sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def stop(groups: Sequence[Group], pause: Callable[[float], bool] = sleep) -> None:
    """Send SIGTERM to process groups, and kill the groups that have not ended in time.

    ``pause`` waits for the given seconds. If it returns true, the groups get a second signal, which stops
    them before they have finished their work.
    """
    for group in groups:
        group.send(signal.SIGTERM)
    give_up = time.monotonic() + STOP_SECONDS
    while not all(group.is_gone for group in groups) and time.monotonic() < give_up:
        if pause(0.1):
            for group in groups:
                group.send(group.stops_now_at)
            give_up = min(give_up, time.monotonic() + STOP_NOW_SECONDS)
    for group in groups:
        if not group.is_gone:
            group.kill()
