"""Deadlines: a limit on the total time for which one web request waits for Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponseBase

Parameters = ParamSpec("Parameters")
Response = TypeVar("Response", bound=HttpResponseBase)

#: Seconds that a request may wait. A write may wait longer, because its outcome is unknown if it times out.
READ_SECONDS = 0.3
WRITE_SECONDS = 1.0
#: Seconds after a time-out during which other reads of the process fail fast.
BELIEVED_SECONDS = 1.0


@dataclass(slots=True)
class Deadline:
    """The time for which a request may still wait for Redis, in seconds.

    Only a failed call reduces this time. A call that is answered, even late, does not.

    ``is_read`` is true if the request changes nothing, so a failed call does no harm. When Redis has not
    answered a request of this process, the calls of all requests with ``is_read`` fail immediately for one
    second.
    """

    seconds_left: float
    is_read: bool = False


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """The deadline of the current request, or ``None`` if it has no deadline.

    Without a deadline, a call may take as long as the setting ``TIMEOUT`` allows.
    """
    return _current.get()


@contextmanager
def within(seconds: float, *, is_read: bool = False) -> Iterator[None]:
    """Context manager that lets the Redis calls in the block wait for at most ``seconds`` in total.

    Only failed calls use up this time; a call that is answered, even late, does not. When the time is used
    up, further calls in the block raise ``QueueUnavailable`` immediately.

    Set ``is_read`` if the block changes nothing. When Redis has not answered a call in any block of this
    process, the calls in all blocks with ``is_read`` fail immediately for one second.
    """
    token = _current.set(Deadline(seconds, is_read))
    try:
        yield
    finally:
        _current.reset(token)


def bounded_view(
    view: Callable[Concatenate[HttpRequest, Parameters], Response],
) -> Callable[Concatenate[HttpRequest, Parameters], Response]:
    """Decorator that limits how long the Redis calls of a view wait in total.

    The limit is 0.3 s for GET and HEAD, and 1 s for other methods. When failed calls have used up this time,
    each further call raises ``QueueUnavailable``, so the view can respond although Redis does not.
    """

    @wraps(view)
    def bounded(request: HttpRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Response:
        is_read = request.method in ("GET", "HEAD")
        with within(READ_SECONDS if is_read else WRITE_SECONDS, is_read=is_read):
            return view(request, *args, **kwargs)

    return bounded
