"""One started program: its session, output, signals and end."""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

from .programs import ROOT
from .waiting import HANG_SECONDS, eventually
from .warm import WarmPopen, can_fork

#: Environment variable that marks the processes of a program. They inherit it, even in a session of their
#: own.
MARK = "STARTED_BY_TEST"
_numbers = itertools.count()
#: Marks of all started programs whose end the tests have not seen (see ``left_over``), by process number.
_marks: dict[int, str] = {}


class Program:
    """A child process in a session of its own, so that signals reach only it and its group.

    Its output and errors are collected line by line. ``stop`` sends SIGTERM, then SIGKILL; no process that
    the program started outlives it.
    """

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: Path = ROOT,
        name: str = "",
    ) -> None:
        """``env`` is added to the environment of the tests. The value None removes a variable."""
        self.args = [str(arg) for arg in args]
        self.name = name or Path(self.args[0]).name
        self.cwd = cwd
        # A fork overwrites the mark in place, so all marks have the same length.
        self._mark = f"{os.getpid():08}-{next(_numbers):08}"
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", MARK: self._mark}
        for key, value in (env or {}).items():
            self.env.pop(key, None)
            if value is not None:
                self.env[key] = value
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> "Program":
        self.lines.clear()
        start = (
            partial(WarmPopen, mark=(MARK, self._mark)) if can_fork(self.args, self.env) else subprocess.Popen
        )
        self._process = start(
            self.args,
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        _marks[self._process.pid] = self._mark
        self._reader = threading.Thread(target=self._collect, args=(self._process,), daemon=True)
        self._reader.start()
        return self

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in process.stdout:
                self.lines.append(line.rstrip("\n"))

    def stop(self, *, within_seconds: float = 10.0) -> int | None:
        """Send SIGTERM, then SIGKILL to all remaining processes. Returns the exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_seconds)
        return self.kill_group()

    def kill_group(self) -> int | None:
        """``kill -9`` each of its processes. Returns the exit code of the first one."""
        if self._process is None:
            return None

        def killed() -> bool:
            # One that is killed may have forked another in the meantime.
            members = self.members()
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            return not members

        eventually(killed, what=f"{self.name}: all of its processes gone")
        code = self._process.wait(HANG_SECONDS)
        _marks.pop(self._process.pid, None)
        if self._reader is not None:
            self._reader.join(HANG_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return code

    def wait(self, *, within_seconds: float = HANG_SECONDS) -> int:
        """Wait for the end of the program. Raises AssertionError with its output after ``within_seconds``."""
        try:
            code = self.popen.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {within_seconds:g} s:\n{self.tail()}"
            ) from None
        if self._reader is not None:
            self._reader.join(HANG_SECONDS)
        return code

    def run(self, *, within_seconds: float = HANG_SECONDS) -> int:
        """Start, wait for the end, and return the exit code."""
        with self:
            return self.wait(within_seconds=within_seconds)

    def __enter__(self) -> "Program":
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- signals --------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        """Signal the first process alone."""
        self.popen.send_signal(number)

    def signal_group(self, number: int) -> None:
        """Signal every process of the group in one step, as a terminal does."""
        os.killpg(self.pid, number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    # --- state and output --------------------------------------------------------------------------

    @property
    def popen(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise AssertionError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Its direct children, oldest first."""
        found = psutil.Process(self.pid).children()
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def members(self) -> list[psutil.Process]:
        """All its living processes, including orphans and leaders of other sessions."""
        return processes_of({self.pid: self._mark})

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def tail(self, count: int = 40) -> str:
        return "\n".join(self.lines[-count:])

    def wait_for_line(self, pattern: str, *, within_seconds: float = HANG_SECONDS, after: int = 0) -> str:
        """The first line, from number ``after`` on, that matches the regular expression."""

        def look() -> str | None:
            for line in self.lines[after:]:
                if re.search(pattern, line):
                    return line
            return None

        return eventually(look, within_seconds=within_seconds, what=f"a line like {pattern!r}", of=self)


def processes_of(programs: Mapping[int, str]) -> list[psutil.Process]:
    """Living processes of programs, without zombies. A program is given by its first process and its mark.

    A server that overwrites its environment with a title is found by its session.
    """
    marks, found = {f"{MARK}={mark}".encode() for mark in programs.values()}, []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            # psutil would read much more of each process, and tests ask in a loop.
            if os.getsid(pid) in programs or not marks.isdisjoint(_environment(pid)):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def _environment(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def left_over() -> list[psutil.Process]:
    """Living processes of all programs that the tests started."""
    return processes_of(_marks) if _marks else []


def spare(pid: int) -> None:
    """Remove a program from ``left_over`` that may outlive its test."""
    _marks.pop(pid, None)
