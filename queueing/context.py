"""The context of a run: what a handler or task knows about it and can report."""

from contextvars import ContextVar
from typing import Any, Protocol

from .broker.leases import Delivery
from .messages import Message
from .text.errors import as_text


class Runtime(Protocol):
    """The services of a process for the jobs that run in it."""

    worker: str

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is stopping."""

    def stop_reason(self, delivery: Delivery) -> str | None:
        """Why somebody asked to stop this delivery, or ``None``."""

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        """Report the progress of a run to the console. It may be dropped, and raises nothing."""


class Context:
    """One run of one message. A handler with a second parameter gets it."""

    __slots__ = ("_delivery", "_runtime", "log_fields")

    def __init__(self, delivery: Delivery, runtime: Runtime) -> None:
        self._delivery, self._runtime = delivery, runtime
        #: Fields that every log line of this run carries, in JSON and at the end of a text line.
        self.log_fields: dict[str, Any] = {}

    @property
    def message(self) -> Message:
        return self._delivery.message

    @property
    def queue(self) -> str:
        return self._delivery.queue

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1: the number of failed runs of this message, plus one."""
        return self._delivery.failed + 1

    @property
    def crashes(self) -> int:
        """How often a process died while it ran this message."""
        return self._delivery.crashed

    @property
    def releases(self) -> int:
        """How often this message was given back without an attempt."""
        return self._delivery.released

    @property
    def receipt(self) -> tuple[str, int]:
        """The id and receive count, which identify this delivery."""
        return self.message.id, self.message.rc

    @property
    def due_ms(self) -> float:
        """The time since which a first delivery has been due (ms since 1970), 0 for a later delivery."""
        return self._delivery.due_ms

    @property
    def worker(self) -> str:
        """The name of the child process that runs it."""
        return self._runtime.worker

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is stopping: a long job may end early, by raising, or continue."""
        return self._runtime.is_stopping

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked to stop this run. A long job that is not async raises then, to end early."""
        return self._runtime.stop_reason(self._delivery) is not None

    def progress(self, fraction: float, note: str = "") -> None:
        """Report the progress of this run: a fraction from 0.0 to 1.0, and a short note.

        A few reports a second are stored; others are dropped.
        """
        self._runtime.report(self._delivery, min(1.0, max(0.0, float(fraction))), as_text(note))

    def log(self, **fields: Any) -> None:
        """Add fields to every log line of this run."""
        self.log_fields.update(fields)


#: The run to which new log records belong.
current: ContextVar[Context | None] = ContextVar("queueing_context", default=None)
