"""The keeper's view of a child: its process, and its slot in the shared memory."""

from contextlib import suppress
from dataclasses import dataclass

import psutil

from .processes import kill, kill_programs
from .shared_memory import Slot


@dataclass
class ChildProcess:
    """The keeper's record of a child process."""

    name: str
    process: psutil.Process | None
    slot: Slot

    @property
    def is_gone(self) -> bool:
        try:
            return self.process is None or self.process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def kill(self) -> None:
        with suppress(psutil.NoSuchProcess):
            if self.process and self.process.is_running():
                kill(self.process.pid)

    def kill_programs(self) -> None:
        """Kill the programs that it has left, unless it ended by itself."""
        if self.process and self.slot.held:
            kill_programs(self.process.pid)

    @property
    def is_stopped(self) -> bool:
        """A frozen process does not work, so it must not keep its messages."""
        try:
            return self.process is not None and self.process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False
