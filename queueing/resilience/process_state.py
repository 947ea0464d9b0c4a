"""State of one process. A forked process starts with new state, without the locks of its parent."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")


class ProcessState(Generic[State]):
    """One ``State`` for each process, created at its first use there. Threads share it and need no lock.

    Each use compares the process id, because a server that forks in C (uWSGI) does not call Python's fork
    hooks. A forked process drops its parent's state, and closing that state must send nothing to a server.
    """

    def __init__(self, make: Callable[[], State]) -> None:
        self._make = make
        self._states: dict[int, State] = {}

    def get(self) -> State:
        """The state of this process."""
        pid = os.getpid()
        try:
            return self._states[pid]
        except KeyError:
            # If two threads make one, both get the first.
            state = self._states.setdefault(pid, self._make())
            for other in list(self._states):
                if other != pid:
                    self._states.pop(other, None)
            return state
