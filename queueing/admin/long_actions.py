"""Actions on many messages or jobs: each request works for a second, and its page requests the next one.

The signed state of the work is part of the page, so the server stores nothing.
"""

from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, Protocol

from django.core import signing
from django.http import HttpResponse

from queueing.exceptions import QueueError

#: Seconds that one request works. The pages stay quick, and a proxy in front never gives up.
SLICE_SECONDS = 1.0
#: Seconds for which a page that was left open can continue its work.
WORK_AGE_SECONDS = 86_400


@dataclass
class Work:
    """The state of a long action: what the user chose, how many of ``total`` are done, and its notes, all as
    JSON.
    """

    total: int
    choice: dict[str, Any] = field(default_factory=dict)
    done: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def sign(self, salt: str) -> str:
        """Sign the state, so that only this site can have written it."""
        return signing.dumps(asdict(self), salt=salt, compress=True)

    @classmethod
    def read(cls, text: str, salt: str) -> "Work | None":
        """Read a state that ``sign`` wrote. Returns ``None`` for any other text, or if it is too old."""
        try:
            return cls(**signing.loads(text, salt=salt, max_age=WORK_AGE_SECONDS))
        except (signing.BadSignature, TypeError):
            return None


class SliceOver(Exception):
    """The time of this request is up."""


class Slice:
    """The time limit of one request. It is a ``progress`` callback of the client, and checks the limit."""

    def __init__(self, work: Work, seconds: float) -> None:
        self._work, self._before, self._end = work, work.done, monotonic() + seconds

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._end

    def __call__(self, done: int, total: int) -> None:
        self._work.done = self._before + done
        if done < total:
            self.check()

    def check(self) -> None:
        """Raise ``SliceOver`` if the time is up."""
        if self.is_over:
            raise SliceOver


class LongAction(Protocol):
    """The methods that an action in several requests needs."""

    def run(self, work: Work, this: Slice) -> None:
        """Do the remaining work, and keep ``work`` up to date. ``this`` raises ``SliceOver`` when the time is
        up.
        """

    def paused(self, work: Work) -> HttpResponse:
        """The page that requests the next slice by itself."""

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        """The page that reports ``error``. It may raise ``error`` instead."""

    def finished(self, work: Work) -> HttpResponse:
        """The response after the last slice."""


def go_on(action: LongAction, work: Work) -> HttpResponse:
    """Do one slice of the work, and return its response."""
    try:
        action.run(work, Slice(work, SLICE_SECONDS))
    except SliceOver:
        return action.paused(work)
    except QueueError as error:
        return action.broken_off(work, error)
    return action.finished(work)
