"""The programs of one ``make run``, and the guard that ends them if the launcher is killed.

Each program leads a process group of its own, so Ctrl-C in the terminal reaches the launcher alone. The guard
is a process that reads from a pipe. When the launcher is gone, the pipe closes, and the guard stops all
programs in the order in which the launcher does.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

#: How long programs may take to stop: a worker has a grace time, Redis writes its file.
STOP_SECONDS = 30.0
#: How long a worker may take that gives back its messages instead of finishing them.
STOP_NOW_SECONDS = 8.0


class Group:
    """A process group: a program and all that it has started, as far as it stays in the group."""

    #: The signal that lets it stop without waiting for what it does.
    stops_now_at = signal.SIGKILL

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def is_gone(self) -> bool:
        try:
            os.killpg(self.number, 0)
        except (ProcessLookupError, PermissionError):  # macOS answers so for a group of zombies
            return True
        # In a container nobody may wait for orphans: zombies stay, and are gone nevertheless.
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
        """End the group, and the descendants of its leader in groups of their own."""
        descendants: list[psutil.Process] = []
        with suppress(psutil.Error):
            descendants = psutil.Process(self.number).children(recursive=True)
        self.send(signal.SIGKILL)
        for process in descendants:
            with suppress(psutil.Error):
                process.kill()


class Program(Group):
    """A program that the launcher has started."""

    def __init__(self, name: str, process: subprocess.Popen) -> None:
        super().__init__(process.pid)
        self.name, self._process = name, process

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs. Negative: the signal that killed it."""
        return self._process.poll()

    @property
    def is_gone(self) -> bool:
        return self.exit_code is not None and super().is_gone


class Guard:
    """The process that survives the launcher. It must be made before any program and any thread."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        """``on_death`` is called in the guard when the launcher was killed, before it stops the programs."""
        read_end, self._write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._write_end)
            _guard(read_end, on_death)
        os.close(read_end)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: dict[str, str] | None = None,
        output: IO[bytes] | None = None,
        keeps: Sequence[int] = (),
    ) -> Program:
        """Start a program that the guard knows before it runs. It keeps the descriptors in ``keeps``."""

        def register() -> None:
            os.write(self._write_end, b"%d\n" % os.getpid())

        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=register,
            pass_fds=keeps,
        )
        return Program(name, process)

    def dismiss(self) -> None:
        """All programs have ended: nothing is left to guard."""
        os.close(self._write_end)
        os.waitpid(self._pid, 0)


def sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def stop(groups: Sequence[Group], pause: Callable[[float], bool] = sleep) -> None:
    """Ask groups to stop, and kill what has not ended in time. They stop now if ``pause`` returns true."""
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


def _guard(read_end: int, on_death: Callable[[], None]) -> None:
    """The life of the guard: it ends with its work, and never returns to the launcher's code."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        told = b""
        while part := os.read(read_end, 4096):
            told += part
        groups = [Group(int(number)) for number in told.split()]
        if not all(group.is_gone for group in groups):
            on_death()
            for some in (groups[1:], groups[:1]):  # Redis, or the only one, last
                stop(some)
    except BaseException as error:
        sys.stderr.write(f"The guard of make run failed: {error!r}\n")
    finally:
        os._exit(0)
