"""Circuit breaker for an unresponsive database: after one request has timed out, the others fail fast.

A driver may take seconds to time out, and a web process has few threads. Without the breaker, twenty
visitors at a time would wait one after the other for the same time-out.
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
    """The time until which this process does not call the database, minus infinity if it may call now."""

    lock: Lock = field(default_factory=Lock)
    open_until: float = -math.inf


class CircuitBreaker:
    """Opens after a call that failed slowly, and lets one call through when its time is over.

    Threads share it. Each process has a state of its own.
    """

    def __init__(
        self,
        *,
        slow_seconds: float = SLOW_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A failure within ``slow_seconds`` leaves the circuit closed, because it costs no time."""
        self._slow_seconds, self._open_seconds, self._clock = slow_seconds, open_seconds, clock
        self._circuit = ProcessState(_Circuit)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """The database may be called within. Raises ``OperationalError`` while the circuit is open."""
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
        """Raise while the circuit is open. The first call after that keeps it open for all others."""
        with circuit.lock:
            if circuit.open_until == -math.inf:
                return
            now = self._clock()
            if now < circuit.open_until:
                raise OperationalError("the database did not answer a moment ago")
            circuit.open_until = now + self._open_seconds


_breaker = CircuitBreaker()


def database_guard() -> AbstractContextManager[None]:
    """Let the code within call the database, unless it did not answer a moment ago.

    All guards of a process share one circuit breaker. After a call that failed and took more than half a
    second, each guard raises for three seconds; then one call tries again.

    Raises ``django.db.OperationalError`` in place of the call.
    """
    return _breaker.guard()
