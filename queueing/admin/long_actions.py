"""Actions on many messages or jobs: a second of work per request, and a page between that continues.

The state of the work travels through the page, signed, so no request has to remember anything.
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
    """The choice of a person, how many of ``total`` are done, and the notes of the action, all as JSON."""

    total: int
    choice: dict[str, Any] = field(default_factory=dict)
    done: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def sign(self, salt: str) -> str:
        """Sign the state of the work, so that only this site can have written it."""
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
    """The time of one request. It is also the client's ``progress``, which counts on and ends the work."""

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
    """The part of an action that does its work and reports on it."""

    def run(self, work: Work, this: Slice) -> None:
        """Do the rest of the work, and keep ``work`` up to date. ``this`` may raise ``SliceOver``."""

    def paused(self, work: Work) -> HttpResponse:
        """The page that continues the work by itself."""

    def broken_off(self, work: Work, error: QueueError) -> HttpResponse:
        """The page after ``error``, or raise it."""

    def finished(self, work: Work) -> HttpResponse:
        """The page after the last slice."""


def go_on(action: LongAction, work: Work) -> HttpResponse:
    """Do one slice of the work: as much as fits into one request."""
    try:
        action.run(work, Slice(work, SLICE_SECONDS))
    except SliceOver:
        return action.paused(work)
    except QueueError as error:
        return action.broken_off(work, error)
    return action.finished(work)
