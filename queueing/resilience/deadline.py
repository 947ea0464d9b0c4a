"""Deadlines: the time that all Redis calls of one web request may wait together."""

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
    """The seconds that are left. Only failed calls use them up: an answer, however long, does not.

    ``is_read``: nothing is lost if a call fails, so it fails fast after the time-out of another request.
    """

    seconds_left: float
    is_read: bool = False


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """The deadline of the current request. Without one, a call may take the setting ``TIMEOUT``."""
    return _current.get()


@contextmanager
def within(seconds: float, *, is_read: bool = False) -> Iterator[None]:
    """Let the Redis calls in the block wait for ``seconds`` together. Later calls fail immediately."""
    token = _current.set(Deadline(seconds, is_read))
    try:
        yield
    finally:
        _current.reset(token)


def bounded_view(
    view: Callable[Concatenate[HttpRequest, Parameters], Response],
) -> Callable[Concatenate[HttpRequest, Parameters], Response]:
    """Decorator for a view: its Redis calls wait for 0.3 s together, or 1 s if it may change something.

    After that each call raises ``QueueUnavailable``, so the view answers soon although Redis does not.
    """

    @wraps(view)
    def bounded(request: HttpRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Response:
        is_read = request.method in ("GET", "HEAD")
        with within(READ_SECONDS if is_read else WRITE_SECONDS, is_read=is_read):
            return view(request, *args, **kwargs)

    return bounded
