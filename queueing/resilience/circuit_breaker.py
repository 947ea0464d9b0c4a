"""Circuit breaker for an unresponsive database: after one request has timed out, the others fail fast.

A database driver may take seconds to time out, and a web process has few threads. Without the circuit
breaker, twenty visitors at a time would each wait for the same timeout.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from django.db import InterfaceError, OperationalError

from .process_state import ProcessState

#: A failure that took longer is a time-out. After one, the circuit is open for ``OPEN_SECONDS``.
SLOW_SECONDS = 0.5
OPEN_SECONDS = 3.0


@dataclass(slots=True)
class _Circuit:
    """The time (``clock``) until which this process does not call the database, minus infinity if it may call
    now.
    """

    lock: Lock = field(default_factory=Lock)
    open_until: float = -math.inf


class CircuitBreaker:
    """Opens after a call that failed slowly. When the open time is over, it lets one call through as a test.

    Threads share it. Each process has its own state.
    """

    def __init__(
        self,
        *,
        slow_seconds: float = SLOW_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A failure within ``slow_seconds`` does not open the circuit: it hardly blocks a thread."""
        self._slow_seconds, self._open_seconds, self._clock = slow_seconds, open_seconds, clock
        self._circuit = ProcessState(_Circuit)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Context manager around calls of the database.

        Raises ``OperationalError`` while the circuit is open.
        """
        circuit = self._circuit.get()
        self._admit(circuit)
        began = self._clock()
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            now = self._clock()
            # SQLite is never away. It is busy, and a reader does not wait for that.
            was_slow = now - began > self._slow_seconds and not isinstance(error.__cause__, sqlite3.Error)
            circuit.open_until = now + self._open_seconds if was_slow else -math.inf
            raise
        circuit.open_until = -math.inf

    def _admit(self, circuit: _Circuit) -> None:
        """Raise while the circuit is open. The first call afterwards is let through, and the others fail
        meanwhile.
        """
        with circuit.lock:
            if circuit.open_until == -math.inf:
                return
            now = self._clock()
            if now < circuit.open_until:
                raise OperationalError("the database did not answer a moment ago")
            circuit.open_until = now + self._open_seconds


_breaker = CircuitBreaker()


def database_guard() -> AbstractContextManager[None]:
    """Context manager around calls of the database. It raises instead if the database did not answer a moment
    ago.

    All guards of a process share one circuit breaker. After a call that failed and took more than half a
    second, each guard raises for three seconds. Then one call tries again.

    Raises ``django.db.OperationalError``.
    """
    return _breaker.guard()
