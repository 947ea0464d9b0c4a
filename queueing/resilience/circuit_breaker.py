"""Circuit breaker for an unresponsive database: after one call has timed out, further calls fail fast.

A database driver may take seconds to time out, and a web process has few threads. Without the circuit
breaker, each of twenty simultaneous visitors would wait for this timeout.
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

#: A failed call that took longer counts as a time-out. The circuit is then open for ``OPEN_SECONDS``.
SLOW_SECONDS = 0.5
OPEN_SECONDS = 3.0


@dataclass(slots=True)
class _Circuit:
    """The state of a circuit in one process.

    Calls fail until ``open_until`` (by the circuit breaker's clock), which is minus infinity if the circuit
    is closed.
    """

    lock: Lock = field(default_factory=Lock)
    open_until: float = -math.inf


class CircuitBreaker:
    """The circuit opens if a call fails after more than ``slow_seconds``. Then further calls fail fast.

    After ``open_seconds``, one call is let through as a test. Threads share a circuit breaker. Each process
    has its own state. Errors of SQLite do not open the circuit.
    """

    def __init__(
        self,
        *,
        slow_seconds: float = SLOW_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A failure within ``slow_seconds`` does not open the circuit, because it hardly blocks a thread."""
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
            # SQLite has no server that can be down. Its slow errors come from writers that wait for each
            # other. Readers do not wait for writers, so they need no open circuit.
            was_slow = now - began > self._slow_seconds and not isinstance(error.__cause__, sqlite3.Error)
            circuit.open_until = now + self._open_seconds if was_slow else -math.inf
            raise
        circuit.open_until = -math.inf

    def _admit(self, circuit: _Circuit) -> None:
        """Raise ``OperationalError`` while the circuit is open.

        When the open time is over, let the first call through as a test. Other calls fail while the test
        runs.
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
    """Context manager around calls of the database. It fails fast if the database has just timed out.

    All guards of a process share one circuit breaker. If a call takes more than half a second and fails, all
    guards raise for three seconds. Then one call is let through as a test.

    Raises ``django.db.OperationalError``.
    """
    return _breaker.guard()
