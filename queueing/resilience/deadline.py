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

#: Seconds that a request may wait. A write waits longer, because giving it up leaves its outcome open.
READ_SECONDS = 0.3
WRITE_SECONDS = 1.0
#: After a time-out, other reads of the process fail fast for this long.
BELIEVED_SECONDS = 1.0


@dataclass(slots=True)
class Deadline:
    """The seconds that are left. Only failed calls reduce them: a call that is answered, however late, does
    not.

    With ``is_read`` a failed call loses nothing, so calls fail fast for a while after another request timed
    out.
    """

    seconds_left: float
    is_read: bool = False


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """The deadline of the current request, or ``None``.

    Without one, a call may take the setting ``TIMEOUT``.
    """
    return _current.get()


@contextmanager
def within(seconds: float, *, is_read: bool = False) -> Iterator[None]:
    """Let the Redis calls in the block wait for at most ``seconds`` in total.

    Later calls fail immediately.
    """
    token = _current.set(Deadline(seconds, is_read))
    try:
        yield
    finally:
        _current.reset(token)


def bounded_view(
    view: Callable[Concatenate[HttpRequest, Parameters], Response],
) -> Callable[Concatenate[HttpRequest, Parameters], Response]:
    """Decorator for a view: its Redis calls wait at most 0.3 s in total, or 1 s if its method is not GET or
    HEAD.

    After that, each call raises ``QueueUnavailable``, so the view can answer although Redis does not.
    """

    @wraps(view)
    def bounded(request: HttpRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Response:
        is_read = request.method in ("GET", "HEAD")
        with within(READ_SECONDS if is_read else WRITE_SECONDS, is_read=is_read):
            return view(request, *args, **kwargs)

    return bounded
