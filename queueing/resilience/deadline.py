"""How long a page waits for a Redis that does not answer: so long in all, not with each call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

View = Callable[..., HttpResponse]

#: Seconds of silence that a page bears, and a change: giving that up leaves open what became of it.
READ_SECONDS = 0.3
WRITE_SECONDS = 1.0
#: For so many seconds those who read take it from another that there is no answer.
BELIEVED_SECONDS = 1.0


@dataclass(slots=True)
class Patience:
    """What is left of it. Only calls that failed use it up: what Redis answers, however much, is no silence.

    ``is_read``: nothing is lost by giving up, so what another's call found a moment ago is believed. Else
    many who look at once would wait in line for the same silence.
    """

    seconds_left: float
    is_read: bool = False


_current: ContextVar[Patience | None] = ContextVar("patience", default=None)


def current() -> Patience | None:
    """That of who waits now, ``None`` where nobody does: then a call may take its ``TIMEOUT``."""
    return _current.get()


@contextmanager
def patience(seconds: float, *, is_read: bool = False) -> Iterator[None]:
    """Within, calls to Redis wait ``seconds`` for answers that do not come; then each fails at once."""
    token = _current.set(Patience(seconds, is_read))
    try:
        yield
    finally:
        _current.reset(token)


def patient(view: View) -> View:
    """A view with the patience of a page."""

    @wraps(view)
    def bounded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_read = request.method in ("GET", "HEAD")
        with patience(READ_SECONDS if is_read else WRITE_SECONDS, is_read=is_read):
            return view(request, *args, **kwargs)

    return bounded
