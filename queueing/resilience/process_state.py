"""State that belongs to one process. A forked process starts with new state, without its parent's locks."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")


class ProcessState(Generic[State]):
    """One ``State`` for each process, created when the process first uses it.

    Threads share the state, and need no lock to get it.

    Each use compares the process id, because a server that forks in C (uWSGI) does not call Python's fork
    hooks. A forked process drops the state of its parent. If a state has a connection, dropping it must send
    nothing to the server, because the parent still uses the connection.
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
