"""State of one process: a forked process starts without it, and so without the locks of its parent."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")


class ProcessState(Generic[State]):
    """One ``State`` for each process, made at its first use there. Threads share it and take no lock.

    Each use compares the process number, because a server that forks in C (uWSGI) calls none of Python's
    hooks. A child drops the state of its parent, and closing it must send nothing to a server.
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
