"""Starts programs of ``manage.py`` as forks of a process that has imported Django (``warm_start``)."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from .programs import ROOT

MANAGE = str(ROOT / "manage.py")
#: Variables that Python, the loader or libc read before the program begins: a fork would come too late.
EARLY = ("PYTHON", "LD_", "FAKETIME", "LC_", "LANG", "MALLOC", "GLIBC")
PR_SET_CHILD_SUBREAPER = 36
#: If this variable is set, each program starts as in production: ``.ci/run`` sets it for some tests.
COLD = "TEST_COLD_STARTS"


def can_fork(args: list[str], env: Mapping[str, str]) -> bool:
    """Whether a fork does the same as a new process would."""
    return (
        not os.environ.get(COLD)
        and sys.platform == "linux"
        and args[:2] == [sys.executable, MANAGE]
        and "--watch" not in args  # starts its own command line again
        and _early(env) == _early({**os.environ, "PYTHONUNBUFFERED": "1"})
    )


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(EARLY)}


class _Source:
    """The process that forks, for this process of tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None

    def fork(self, mark: tuple[str, str], order: dict[str, Any], files: list[int]) -> int:
        """Returns the process number of the program, which is a child of this process."""
        with self._lock:
            channel = self._channel = self._channel or self._start(mark)
            # The new program is an orphan for a moment. It becomes a child of the nearest "subreaper".
            _adopt_orphans(True)
            try:
                socket.send_fds(channel, [json.dumps(order).encode()], files)
                answers = [channel.recv(100) for _ in range(2)]  # in any order
            finally:
                _adopt_orphans(False)
        return next(int(answer) for answer in answers if answer.isdigit())

    def _start(self, mark: tuple[str, str]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It ends with the channel, so with this process.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_start", str(theirs.fileno())],
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", mark[0]: "-" * len(mark[1])},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        return ours


def _adopt_orphans(value: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(value), 0, 0, 0)


_source = _Source()


class WarmPopen(subprocess.Popen):
    """A ``Popen`` whose process is a fork. ``mark`` is the variable that ``/proc/PID/environ`` shows."""

    def __init__(self, args: list[str], *, mark: tuple[str, str], **options: Any) -> None:
        self._marked = mark
        super().__init__(args, **options)

    def _execute_child(
        self, args: list[str], executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any,
        env: Any, startupinfo: Any, creationflags: Any, shell: Any, *pipes_and_more: Any,
    ) -> None:  # fmt: skip
        stdin, _, _, stdout, _, stderr = pipes = pipes_and_more[:6]
        order = {"args": args[1:], "env": dict(env), "cwd": str(cwd), "renamed": dict([self._marked])}
        self.pid = _source.fork(self._marked, order, [stdin, stdout, stdout if stderr == -1 else stderr])
        self._child_created = True
        self._close_pipe_fds(*pipes)
