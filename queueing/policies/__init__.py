"""Policies: the number of attempts, the back-off between them, and the time limit of a run.

A function can also decide how its run ends: it raises ``GiveUp``, ``RetryIn`` or ``Snooze``.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from django.core.exceptions import ImproperlyConfigured

from queueing.broker.rsmq_values import MAX_SECONDS
from queueing.exceptions import ResultRefused

from .limits import Limit, problem

#: A function, or a Django ``Task`` object, which is not callable.
Function = TypeVar("Function")
#: Seconds, or a function that returns seconds. The function gets the exception, and the number of the attempt
#: (for a Django task, the ``TaskResult`` instead of the number).
Backoff = float | Callable[[BaseException, Any], float]
#: A class of exceptions, or several of them.
Classes = type[BaseException] | tuple[type[BaseException], ...]

#: How long a job keeps its key: until a worker starts it, or until it is done, dead or cancelled.
Until = Literal["until_started", "until_done"]
#: The effect of a request if an earlier job has the same key.
OnConflict = Literal["skip", "replace", "reschedule"]
#: A function of the arguments of a task, or of the body of a handler's message, that returns a value of JSON.
Key = Callable[..., Any]

#: The attribute of a function that holds its policy.
MARK = "queueing_policy"


#: The default back-off, in seconds.
BASE_SECONDS = 2.0
CAP_SECONDS = 3600.0


class GiveUp(Exception):
    """A handler or task raises this exception to end the job, which is then dead without further attempts.

    ``reason`` is a text for the history.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


class RetryIn(Exception):
    """A handler or task raises this exception to fail the attempt and choose the time until the next attempt.

    ``seconds`` is a number from 0 to 9,999,999, ``reason`` a text for the history. After the last attempt the
    job is dead. For another value of ``seconds``, the constructor raises ``TypeError`` or ``ValueError``, and
    the attempt fails with that error.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(seconds, reason)
        self.seconds, self.reason = valid_seconds(seconds, "The delay of RetryIn"), reason

    def __str__(self) -> str:
        return str(self.reason)


class Snooze(Exception):
    """A handler or task raises this exception to run the job again later, without counting an attempt.

    ``seconds`` is a number from 0 to 9,999,999. With 0 the job runs after all messages that are due now. A
    job may snooze any number of times. For another value of ``seconds``, the constructor raises ``TypeError``
    or ``ValueError``, and the attempt fails with that error.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = valid_seconds(seconds, "The delay of Snooze")

    def __str__(self) -> str:
        return f"runs again after {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy for the runs of a function. If a field is ``None``, its default applies.

    ``max_attempts`` counts attempts that failed by an exception (``None``: the setting ``MAX_ATTEMPTS``).
    ``backoff`` is exponential with jitter by default. ``timeout`` is in seconds (``None``: no limit).
    ``retry_on`` and ``give_up_on`` are classes of exceptions. ``unique`` is ``None`` for a job that is not
    unique. ``limit`` applies to each value of ``key`` separately.
    """

    max_attempts: int | None = None
    backoff: Backoff | None = None
    timeout: float | None = None
    retry_on: tuple[type[BaseException], ...] = ()
    give_up_on: tuple[type[BaseException], ...] = ()
    unique: Until | None = None
    key: Key | None = None
    on_conflict: OnConflict = "reschedule"
    limit: Limit = Limit()

    def is_last_attempt(self, error: BaseException, attempt: int, *, max_attempts: int) -> bool:
        """Whether attempt number ``attempt`` (from 1), which failed with ``error``, is the last one.

        ``max_attempts`` is the setting ``MAX_ATTEMPTS``. An attempt that failed with ``ResultRefused`` is
        always the last one, because the code has run.
        """
        if isinstance(error, Snooze):
            return False
        return self._gives_up(error) or attempt >= (self.max_attempts or max_attempts)

    def _gives_up(self, error: BaseException) -> bool:
        if isinstance(error, GiveUp | ResultRefused):
            return True
        if isinstance(error, RetryIn):
            return False
        # From the class to its bases, as ``except`` matches: the nearest class decides.
        for kind in type(error).__mro__:
            if kind in self.give_up_on:
                return True
            if kind in self.retry_on:
                return False
        return bool(self.retry_on)

    def delay_seconds(self, error: BaseException, attempt: int, subject: Any = None) -> float:
        """The seconds to wait after attempt number ``attempt`` (from 1) failed with ``error``.

        A back-off function is called with ``error`` and ``subject`` or, if ``subject`` is ``None``, with
        ``error`` and ``attempt``. Raises the errors of this function, and ``TypeError`` or ``ValueError`` if
        it does not return a number from 0 to 9,999,999.
        """
        if self.backoff is None:
            return exponential(attempt)
        if not callable(self.backoff):
            return valid_seconds(self.backoff)
        return valid_seconds(self.backoff(error, attempt if subject is None else subject))


DEFAULT_POLICY = Policy()


def valid_seconds(value: Any, name: str = "A back-off") -> float:
    """Validate and return a number of seconds. ``name`` is the beginning of the error's text.

    Raises ``TypeError`` or ``ValueError``.
    """
    if isinstance(value, bool | str | bytes | bytearray) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}.")
    number = float(value)
    if not 0 <= number <= MAX_SECONDS:
        raise ValueError(f"{name} is a number of seconds from 0 to {MAX_SECONDS:,}, not {number:g}.")
    return number


def policy(
    *,
    max_attempts: int | None = None,
    backoff: Backoff | None = None,
    timeout: float | None = None,
    retry_on: Classes = (),
    give_up_on: Classes = (),
    unique: Until | None = None,
    key: Key | None = None,
    on_conflict: OnConflict = "reschedule",
    rate: str | None = None,
    concurrency: int | None = None,
) -> Callable[[Function], Function]:
    """Decorator that sets the policy of a function, above or below ``@handler`` or ``@task``.

    With ``max_attempts=1`` the job is dead after one failure or crash. If a run is interrupted because a
    shutdown takes longer than the grace time, the job still runs again. ``timeout`` in seconds limits one
    run: an async function is cancelled, and the process of a sync function is killed, at most a second late.

    ``retry_on`` and ``give_up_on`` are exception classes, with their subclasses. If ``retry_on`` is given,
    any other exception makes the job dead at its first failure. An exception of ``give_up_on`` makes the job
    dead, even if attempts are left. If an exception belongs to both, the nearest of its base classes decides.
    A run past its time limit counts as a ``TimeoutError``.

    ``unique``, ``key`` and ``on_conflict`` merge requests for the same work.
    ``rate`` and ``concurrency`` limit the runs over all workers, for each ``key``.
    Raises ``ImproperlyConfigured`` for an invalid value, and for a class in both ``retry_on`` and
    ``give_up_on``.
    """
    classes = _classes(retry_on, "retry_on"), _classes(give_up_on, "give_up_on")
    limit = Limit(rate or "", concurrency or 0)
    said = Policy(max_attempts, backoff, timeout, *classes, unique, key, on_conflict, limit)
    _check(said, problem(rate, concurrency))

    def mark(function: Function) -> Function:
        # A Django task is frozen, so the policy is stored on its function.
        setattr(getattr(function, "func", function), MARK, said)
        return function

    return mark


def _check(said: Policy, wrong_limit: str) -> None:
    if wrong_limit:
        raise ImproperlyConfigured(wrong_limit)
    if said.max_attempts is not None and said.max_attempts < 1:
        raise ImproperlyConfigured("max_attempts must be 1 or more: 1 means that nothing is retried.")
    if said.timeout is not None and not 0 < said.timeout < math.inf:
        raise ImproperlyConfigured("timeout must be a number of seconds above 0.")
    if said.backoff is not None and not callable(said.backoff):
        try:
            valid_seconds(said.backoff)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"backoff is wrong: {error}") from None
    if said.unique not in (None, *get_args(Until)):
        raise ImproperlyConfigured('unique must be "until_started", "until_done" or None.')
    if said.on_conflict not in get_args(OnConflict):
        raise ImproperlyConfigured('on_conflict must be "skip", "replace" or "reschedule".')
    if said.key is not None and not callable(said.key):
        raise ImproperlyConfigured("key must be a function that returns the key.")
    if said.on_conflict != DEFAULT_POLICY.on_conflict and not said.unique:
        raise ImproperlyConfigured("on_conflict has an effect only with unique: add it.")
    if said.key and not said.unique and said.limit == DEFAULT_POLICY.limit:
        raise ImproperlyConfigured("key has an effect only with unique, rate or concurrency: add one.")
    for kind in said.retry_on:
        if kind in said.give_up_on:
            raise ImproperlyConfigured(f"{kind.__name__} is in retry_on and in give_up_on: keep one.")


def _classes(value: Classes, name: str) -> tuple[type[BaseException], ...]:
    classes = value if isinstance(value, tuple) else (value,)
    for kind in classes:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ImproperlyConfigured(f"{name} takes classes of exceptions, not {kind!r}.")
    return classes


def policy_of(function: Callable[..., Any]) -> Policy:
    """The policy of a function. A ``partial`` or a Django task has the policy of its function."""
    return getattr(getattr(function, "func", function), MARK, DEFAULT_POLICY)


def exponential(attempt: int) -> float:
    """The seconds to wait after attempt number ``attempt`` (from 1).

    The delay begins with 2 s and doubles with each attempt up to an hour, plus or minus half at random.
    Without this jitter, jobs that failed at the same time would run again at the same time.
    """
    return min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.5)
