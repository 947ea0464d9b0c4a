"""How often a message is tried, how long between, and how long one run may take."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from .backoff import exponential
from .broker.rsmq_values import MAX_SECONDS
from .exceptions import ResultRefused

#: A function, or a Django task, which is not callable.
Function = TypeVar("Function")
#: Seconds, or a function of the exception and the number of the attempt (for a Django task: of the
#: exception and its ``TaskResult``) that returns seconds.
Backoff = float | Callable[[BaseException, Any], float]

#: Where ``@policy`` notes what it was told, on the function itself.
MARK = "queueing_policy"


@dataclass(frozen=True, slots=True)
class Policy:
    """What was said about the runs of a function; ``None`` where nothing was.

    ``max_attempts`` counts handled failures (``None``: the setting ``MAX_ATTEMPTS``), ``backoff``
    is exponential with jitter unless given, ``timeout`` is in seconds (``None``: no limit).
    """

    max_attempts: int | None = None
    backoff: Backoff | None = None
    timeout: float | None = None

    def is_last_attempt(self, error: BaseException, attempt: int, *, max_attempts: int) -> bool:
        """Whether no attempt follows the given one (from 1), which failed with ``error``.

        ``max_attempts`` is the setting ``MAX_ATTEMPTS``. A refused result ends a message at its first
        attempt, because its code has run.
        """
        return isinstance(error, ResultRefused) or attempt >= (self.max_attempts or max_attempts)

    def delay_seconds(self, error: BaseException, attempt: int, subject: Any = None) -> float:
        """Seconds to wait after the given attempt (from 1) failed with ``error``.

        ``subject`` is what a back-off function is told instead of the number of the attempt. Raises what
        that function does, and ``ValueError`` if it returns no such number.
        """
        if self.backoff is None:
            return exponential(attempt)
        if not callable(self.backoff):
            return seconds(self.backoff)
        return seconds(self.backoff(error, attempt if subject is None else subject))


DEFAULT_POLICY = Policy()


def seconds(value: Any) -> float:
    """A back-off as a number, or ``TypeError`` or ``ValueError`` with a sentence."""
    if isinstance(value, bool | str | bytes | bytearray):
        raise TypeError(f"A back-off is a number of seconds, not {type(value).__name__}.")
    number = float(value)
    if not 0 <= number <= MAX_SECONDS:
        raise ValueError(f"A back-off is a number of seconds from 0 to {MAX_SECONDS:,}, not {number:g}.")
    return number


def policy(
    *, max_attempts: int | None = None, backoff: Backoff | None = None, timeout: float | None = None
) -> Callable[[Function], Function]:
    """Say how a function's messages are tried: above or below ``@handler``, or beside ``@task``.

    With ``max_attempts=1`` a failure or a crash is the end. A job that the grace time cuts off runs again.
    ``timeout`` in seconds ends one run: an async function is cancelled, one in a thread ends with its
    process, at most a second late.
    Raises ``ImproperlyConfigured`` for a number that makes no sense.
    """
    if max_attempts is not None and max_attempts < 1:
        raise ImproperlyConfigured("max_attempts must be 1 or more: 1 means that nothing is retried.")
    if timeout is not None and not 0 < timeout < math.inf:
        raise ImproperlyConfigured("timeout must be a number of seconds above 0.")
    if backoff is not None and not callable(backoff):
        try:
            seconds(backoff)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"backoff is wrong: {error}") from None
    said = Policy(max_attempts, backoff, timeout)

    def mark(function: Function) -> Function:
        # A Django task is frozen and carries its function; the mark belongs to that.
        setattr(getattr(function, "func", function), MARK, said)
        return function

    return mark


def policy_of(function: Callable[..., Any]) -> Policy:
    """What ``@policy`` said about a function, or about the function of a partial."""
    return getattr(getattr(function, "func", function), MARK, DEFAULT_POLICY)
