"""How often a message is tried, how long between, and how long one run may take."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from .broker.rsmq_values import MAX_SECONDS
from .exceptions import ResultRefused

#: A function, or a Django task, which is not callable.
Function = TypeVar("Function")
#: Seconds, or a function of the exception and the number of the attempt (for a Django task: of the
#: exception and its ``TaskResult``) that returns seconds.
Backoff = float | Callable[[BaseException, Any], float]

#: The attribute of a function that holds its policy.
MARK = "queueing_policy"


#: The default back-off, in seconds.
BASE_SECONDS = 2.0
CAP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy for the runs of a function; ``None`` means the default.

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

        A back-off function gets ``subject``, if there is one, instead of the number of the attempt. Raises
        what that function does, and ``ValueError`` if it returns no such number.
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
    """Set how a function's messages are tried: above or below ``@handler``, or beside ``@task``.

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
    """The policy of a function, or of the function of a partial."""
    return getattr(getattr(function, "func", function), MARK, DEFAULT_POLICY)


def exponential(attempt: int, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """Seconds after the given attempt (from 1): doubling, with jitter of half either way.

    The jitter keeps what failed together from coming back together.
    """
    return min(cap, base * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.5)
