"""Handlers: the functions that run for the messages of queues, and their policies.

A project registers functions in the ``handlers.py`` of any installed app::

    from queueing.handlers import handler, policy

    @policy(max_attempts=3, timeout=60)
    @handler("emails")
    def greet(message):
        print(message.body)

A function with a second parameter receives the ``Context`` of its run. Only registered functions run: a body
cannot name other code to import.
"""

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from .broker.keys import dead_letter_queue
from .broker.rsmq_values import QNAME, RESERVED_NAME
from .context import Context
from .exceptions import NoHandler
from .messages import Message
from .policies import GiveUp, Policy, RetryIn, Snooze, policy, policy_of

__all__ = [
    "GiveUp", "Handler", "RetryIn", "Runnable", "Snooze", "discover", "find", "handler", "policy", "queues",
]  # fmt: skip

logger = logging.getLogger("queueing")

Function = TypeVar("Function", bound=Callable[..., Any])

#: RSMQ's limit for the length of a name. It also applies to the dead-letter queue of a queue with a handler.
MAX_NAME = 160


#: A function that takes what a handler or task has returned, and returns the final value. It awaits an
#: awaitable and raises its errors. For a generator, whose code has not run, it raises ``NothingRan``.
ValueOf = Callable[[Any], Any]


class Runnable(Protocol):
    """The code that runs for a message: a handler or a task.

    One instance may be used for many runs, so it keeps no state.
    """

    @property
    def name(self) -> str:
        """The name that history, logs and console show."""

    @property
    def policy(self) -> Policy: ...

    def run(self, context: Context, value_of: ValueOf) -> str:
        """Run the code for one message. Returns its result as JSON, or ``""`` if it has no result.

        ``value_of`` takes the value that the code returns, awaits it if it is awaitable, and returns the
        final value. May raise any error.
        """

    def delay_seconds(self, error: BaseException, context: Context) -> float:
        """The seconds from an attempt that failed with ``error`` to the next attempt."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that is registered for the messages of a queue. The value that it returns is not stored."""

    queue: str
    function: Callable[..., Any]
    name: str = field(init=False)
    takes_context: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", name_of(self.function))
        object.__setattr__(self, "takes_context", _takes_two(self.function))

    @property
    def policy(self) -> Policy:
        return policy_of(self.function)

    def run(self, context: Context, value_of: ValueOf) -> str:
        arguments = (context.message, context) if self.takes_context else (context.message,)
        returned = self.function(*arguments)
        if returned is not None:
            value_of(returned)
        return ""

    def delay_seconds(self, error: BaseException, context: Context) -> float:
        return self.policy.delay_seconds(error, context.attempt)


class Resolver(Protocol):
    """Finds the code for some of the messages in certain queues, for example for tasks.

    ``queues`` are the names of these queues. A call with a queue and a message returns the code of the
    message, or ``None`` if the resolver does not know the message.
    """

    @property
    def queues(self) -> list[str]: ...

    def __call__(self, queue: str, message: Message) -> Runnable | None: ...


_handlers: dict[str, Handler] = {}
#: Whether this process has imported the handlers of the project.
_is_discovered = False
_resolvers: list[Resolver] = []


def handler(queue: str) -> Callable[[Function], Function]:
    """Decorator that registers a function, sync or async, for the messages of a queue.

    The function takes a ``Message``, and optionally a ``Context``. Raises ``ImproperlyConfigured`` if another
    function is registered for the queue, or if the name of the queue or of its dead-letter queue is invalid
    or too long.
    """
    if not isinstance(queue, str) or not QNAME.fullmatch(queue[:MAX_NAME]) or queue == RESERVED_NAME:
        raise ImproperlyConfigured(
            f'@handler takes the name of a queue, as in @handler("emails"), not {queue!r}. '
            "A name has letters, digits, - and _."
        )
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


def add_resolver(resolver: Resolver) -> None:
    """Register a resolver. A worker asks the resolvers for the code of a message before it asks the handlers.

    If a resolver raises an error, the attempt fails. The policy for a retry is the attribute ``policy`` of
    the error or, without this attribute, the default policy. If the error has a true attribute ``may_come``,
    the attempt does not count, and the message is given back for about an hour, because a newer release may
    have its code.
    """
    if resolver not in _resolvers:
        _resolvers.append(resolver)


def remove_resolver(resolver: Resolver) -> None:
    _resolvers.remove(resolver)


def discover() -> None:
    """Import ``handlers.py`` of every installed app. Raises the errors of these imports."""
    global _is_discovered
    _is_discovered = True
    autodiscover_modules("handlers")


def queues() -> list[str]:
    """The queues for which this project has code, sorted by name."""
    return sorted({*_handlers, *(queue for resolver in _resolvers for queue in resolver.queues)})


def queues_of(function: Any) -> list[str]:
    """The queues for which ``function`` is registered."""
    return sorted(known.queue for known in _handlers.values() if known.function is function)


def find(queue: str, message: Message) -> Runnable:
    """The code to run for a message. Raises ``NoHandler``, whose text shows how to register a handler."""
    for resolver in _resolvers:
        found = resolver(queue, message)
        if found is not None:
            return found
    return handler_of(queue)


def known_to_sender(queue: str) -> Handler | None:
    """The handler of a queue, or ``None`` if the queue has no handler or its import failed.

    Unlike ``handler_of``, this function also works in a web process, because the first call imports all
    handlers. An error of an import is logged.
    """
    if not _is_discovered:
        try:
            discover()
        except Exception:
            logger.exception("not all handlers can be imported here: policies of the others do not apply")
    return _handlers.get(queue)


def has_handler(queue: str) -> bool:
    """Whether a function is registered for ``queue``."""
    return queue in _handlers


def handler_of(queue: str) -> Handler:
    """The handler of ``queue``. Raises ``NoHandler``, whose text shows how to register one."""
    try:
        return _handlers[queue]
    except KeyError:
        raise NoHandler(
            f'No handler is registered for the queue "{queue}". Register one in the handlers.py of an '
            f'installed app: @handler("{queue}") on a function of one message.'
        ) from None


def name_of(function: Callable[..., Any]) -> str:
    """The dotted path of a function, of a partial's function, or of an object's class."""
    function = getattr(function, "func", function)
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function requires a second argument. ``False`` if its signature is unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [parameter for parameter in parameters if parameter.kind in kinds]
    return len(positional) > 1 and positional[1].default is inspect.Parameter.empty
