"""A database that hangs: who has waited for it in vain tells the others, so that they need not wait in line.

A driver may need seconds to give up, and a web process has few threads: without this, twenty visitors at
a time would wait for each other's time-outs.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from django.db import InterfaceError, OperationalError, connections

from queueing.models import Job

from .process_state import ProcessState

#: A failure that took so many seconds was waited for; one that comes at once costs nobody anything.
WAITED_SECONDS = 0.5
#: For so many seconds the others believe it. Then one of them tries, and the rest for as long again.
BELIEVED_SECONDS = 3.0


@dataclass(slots=True)
class _Silence:
    """Until when this process believes that the database does not answer."""

    lock: Lock = field(default_factory=Lock)
    until: float = -math.inf


_silence = ProcessState(_Silence)


@contextmanager
def heeded() -> Iterator[None]:
    """Within, the database may be asked. Raises ``OperationalError`` where it has just been, in vain."""
    silence = _silence.get()
    _believe(silence)
    began = monotonic()
    try:
        yield
    except (OperationalError, InterfaceError):
        # SQLite is never away: it is busy, and a reader does not wait for that.
        was_waited_for = (
            monotonic() - began > WAITED_SECONDS and connections[Job.objects.db].vendor != "sqlite"
        )
        silence.until = monotonic() + BELIEVED_SECONDS if was_waited_for else -math.inf
        raise
    silence.until = -math.inf


def _believe(silence: _Silence) -> None:
    with silence.lock:
        if silence.until == -math.inf:
            return
        if monotonic() < silence.until:
            raise OperationalError("the database did not answer a moment ago")
        silence.until = monotonic() + BELIEVED_SECONDS
