"""A process that the launcher starts, and finds again if an earlier launcher left it behind."""

import json
import os
import signal
import subprocess
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
        except (OSError, ValueError, KeyError, psutil.Error):
            return False
        self._process, self.facts = process, known["facts"]
        return self.running()

    def running(self) -> bool:
        if isinstance(self._process, psutil.Popen):
            return self._process.poll() is None
        return self._process is not None and self._process.is_running()

    @property
    def exit_code(self) -> int | None:
        """Of a child that ended; ``None`` where it is unknown. Negative: the signal that killed it."""
        return self._process.poll() if isinstance(self._process, psutil.Popen) else None

    def ask_to_stop(self) -> None:
        if self.running():
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether the child has ended within ``seconds``; then its file goes, too."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except psutil.TimeoutExpired:
            return False
        self.path.unlink(missing_ok=True)
        return True

    def kill(self) -> None:
        """End the child and everything in its session's first process group, at once."""
        if self.running():
            os.killpg(self._process.pid, signal.SIGKILL)
            self.wait(10)

    def stop(self, seconds: float) -> None:
        """Ask the child to end, and kill it if it has not after ``seconds``."""
        self.ask_to_stop()
        if not self.wait(seconds):
            self.kill()
