"""A process that the launcher starts, and finds again if an earlier launcher left it behind."""

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil


class OwnProcess:
    """One child, in a session of its own: Ctrl-C in the terminal reaches the launcher alone.

    The launcher then stops its children in their order. The file at ``path`` remembers the child
    by its number and the time it was made, so that a stranger that got the same number later is
    never taken for it.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.facts: dict[str, Any] = {}
        self._process: psutil.Process | None = None

    def start(
        self,
        command: list[str],
        *,
        cwd: Path,
        env: dict[str, str] | None = None,
        output: IO[bytes] | None = None,
        **facts: Any,
    ) -> None:
        """Run ``command`` and remember it, with ``facts`` for whoever finds it again."""
        self._process = psutil.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self.facts = facts
        identity = {"pid": self._process.pid, "created": self._process.create_time()}
        self.path.write_text(json.dumps(identity | {"facts": facts}))

    def find(self) -> bool:
        """Take over the child that the file remembers, if it still runs."""
        try:
            known = json.loads(self.path.read_text())
            process = psutil.Process(known["pid"])
            if abs(process.create_time() - known["created"]) > 1:
                return False
        except (OSError, ValueError, LookupError, TypeError, psutil.Error):
            return False
        self._process, self.facts = process, known["facts"]
        return self.running()

    def running(self) -> bool:
        if isinstance(self._process, psutil.Popen):
            return self._process.poll() is None
        return self._process is not None and self._process.is_running() and _is_alive(self._process)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Of a child that ended; ``None`` where it is unknown. Negative: the signal that killed it."""
        return self._process.poll() if isinstance(self._process, psutil.Popen) else None

    def members(self) -> list[psutil.Process]:
        """The child and all that it started, as far as they live."""
        if self._process is None:
            return []
        return [one for one in psutil.process_iter() if _lives_in_session(one, self._process.pid)]

    def ask_to_stop(self) -> None:
        """Ask the child, which tells the others, or the others where it is gone."""
        for process in [self._process] if self.running() else self.members():
            with suppress(psutil.NoSuchProcess):
                process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether the child and all that it started have ended within ``seconds``; then its file goes."""
        deadline = time.monotonic() + seconds
        while self.running() or self.members():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        self.path.unlink(missing_ok=True)
        return True

    def kill(self) -> None:
        """End the child and all that it started, at once."""
        for process in self.members():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.wait(10)

    def stop(self, seconds: float) -> None:
        """Ask the child to end, and kill it if it has not after ``seconds``."""
        self.ask_to_stop()
        if not self.wait(seconds):
            self.kill()


def _is_alive(process: psutil.Process) -> bool:
    """Not a zombie: the parent that should see to one may itself be gone."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _lives_in_session(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and _is_alive(process)
    except OSError:
        return False
