"""The seam between queue and code: which function runs for a message, and by what policy.

A project registers its functions in any installed app's ``handlers.py``::

    from queueing.handlers import handler, policy

    @policy(max_attempts=3)
    @handler("testqueue")
    def greet(message):
        print(message.body)

A body never names code to import: only what is registered here runs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from .backoff import exponential
from .exceptions import NoHandler
from .keys import dead_letter_queue
from .messages import Message

Function = TypeVar("Function", bound=Callable[..., Any])
Backoff = float | Callable[[BaseException, int], float]

#: RSMQ's limit; a queue whose dead-letter queue would have a longer name cannot be consumed.
MAX_NAME = 160


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a message is tried (``None``: the setting ``MAX_ATTEMPTS``), and how long between.

    ``backoff`` is a number of seconds, or a function of the exception and the number of the attempt
    that returns seconds; ``None``: exponential with jitter.
    """

    max_attempts: int | None = None
    backoff: Backoff | None = None

    def delay_seconds(self, error: BaseException, attempt: int) -> float:
        """Seconds to wait after the given attempt (from 1) failed with ``error``."""
        if self.backoff is None:
            return exponential(attempt)
        chosen = self.backoff(error, attempt) if callable(self.backoff) else self.backoff
        return max(0.0, float(chosen))


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that is registered for the messages of a queue."""

    queue: str
    function: Callable[[Message], Any] | Callable[[Message], Awaitable[Any]]

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def policy(self) -> Policy:
        return getattr(self.function, "queueing_policy", DEFAULT_POLICY)

    @property
    def is_async(self) -> bool:
        return iscoroutinefunction(self.function)


DEFAULT_POLICY = Policy()
_handlers: dict[str, Handler] = {}


def handler(queue: str) -> Callable[[Function], Function]:
    """Register a function, sync or async, of one ``Message`` for every message of ``queue``.

    Raises ``ImproperlyConfigured`` where another function has that queue, or where its name is too
    long for a dead-letter queue beside it.
    """
    if len(dead_letter_queue(queue)) > MAX_NAME:
        raise ImproperlyConfigured(
            f"The queue name {queue[:20]}… is too long: "
            f"with -dead at its end it may have {MAX_NAME} characters."
        )

    def register(function: Function) -> Function:
        new = Handler(queue, function)
        known = _handlers.setdefault(queue, new)
        if known.name != new.name:
            raise ImproperlyConfigured(
                f"The queue {queue} has two handlers, {known.name} and {new.name}: keep one."
            )
        _handlers[queue] = new
        return function

    return register


def policy(
    *, max_attempts: int | None = None, backoff: Backoff | None = None
) -> Callable[[Function], Function]:
    """Say how a handler's messages are retried; above or below ``@handler``."""
    if max_attempts is not None and max_attempts < 1:
        raise ImproperlyConfigured("max_attempts must be 1 or more: 1 means that nothing is retried.")

    def mark(function: Function) -> Function:
        function.queueing_policy = Policy(max_attempts, backoff)  # type: ignore[attr-defined]
        return function

    return mark


def discover() -> None:
    """Import ``handlers.py`` of every installed app. An error in one of them is not hidden."""
    autodiscover_modules("handlers")


def queues() -> list[str]:
    """The queues that have a handler, by name."""
    return sorted(_handlers)


def find(queue: str) -> Handler:
    """The handler of ``queue``, or ``NoHandler`` with a sentence that says how to register one."""
    try:
        return _handlers[queue]
    except KeyError:
        raise NoHandler(
            f'No handler is registered for the queue "{queue}". Register one in the handlers.py of an '
            f'installed app: @handler("{queue}") on a function of one message.'
        ) from None
