"""The context of a run: a handler or task uses it to get facts about its run, and to report progress."""

from contextvars import ContextVar
from typing import Any, Protocol

from .broker.leases import Delivery
from .messages import Message
from .text.errors import as_text


class Runtime(Protocol):
    """The part of a worker process that a ``Context`` uses."""

    worker: str

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is stopping."""

    def stop_reason(self, delivery: Delivery) -> str | None:
        """The reason of the request to stop this delivery, or ``None`` without such a request."""

    def report(self, delivery: Delivery, fraction: float, note: str) -> None:
        """Report the progress of a run to the console. A report may be dropped. Raises nothing."""


class Context:
    """The context of one run of a message. A handler with a second parameter receives it."""

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
        """The number of this attempt, from 1. Crashes and releases do not count as attempts."""
        return self._delivery.failed + 1

    @property
    def crashes(self) -> int:
        """How many times a process has died while it ran this message."""
        return self._delivery.crashed

    @property
    def releases(self) -> int:
        """How many times the message was given back without counting an attempt, such as at a shutdown."""
        return self._delivery.released

    @property
    def receipt(self) -> tuple[str, int]:
        """The id and receive count, which identify this delivery."""
        return self.message.id, self.message.rc

    @property
    def due_ms(self) -> float:
        """The time at which the message became due (ms since 1970), or 0 if it was delivered before."""
        return self._delivery.due_ms

    @property
    def worker(self) -> str:
        """The name of the child process that runs the message."""
        return self._runtime.worker

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is stopping. If so, a long job may end early with an exception, or continue."""
        return self._runtime.is_stopping

    @property
    def is_cancelled(self) -> bool:
        """Whether there is a request to stop this run.

        If so, a long synchronous job should raise an exception to end early.
        """
        return self._runtime.stop_reason(self._delivery) is not None

    def progress(self, fraction: float, note: str = "") -> None:
        """Report the progress of this run: a fraction from 0.0 to 1.0, and a short note.

        Only a few reports per second are stored.
        """
        self._runtime.report(self._delivery, min(1.0, max(0.0, float(fraction))), as_text(note))

    def log(self, **fields: Any) -> None:
        """Add fields to every log line of this run."""
        self.log_fields.update(fields)


#: The run to which new log records belong.
current: ContextVar[Context | None] = ContextVar("queueing_context", default=None)
