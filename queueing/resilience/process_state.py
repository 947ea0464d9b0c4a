"""State that belongs to one process: a fork starts without it, and so without its parent's locks."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")


class ProcessState(Generic[State]):
    """One ``State`` for each process, made at its first use there. Threads share it and take no lock.

    The process number is compared at each use: a server that forks in C, as uWSGI does, calls none of
    Python's hooks. A parent's state is dropped; its connections do not talk to the server then.
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
            # Of two threads that make one, both get the first.
            state = self._states.setdefault(pid, self._make())
            for other in list(self._states):
                if other != pid:
                    self._states.pop(other, None)
            return state
