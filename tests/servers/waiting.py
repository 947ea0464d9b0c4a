"""The one place where a test waits: bounded polling."""

import socket
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Running(Protocol):
    """A started program: there is no use in waiting for what it does once it has ended."""

    name: str

    @property
    def is_running(self) -> bool: ...

    def tail(self) -> str: ...


def eventually(
    check: Callable[[], T],
    *,
    within_seconds: float = 10.0,
    what: str | Callable[[], str] = "",
    of: Running | None = None,
    every_seconds: float = 0.02,
) -> T:
    """Call ``check`` until it returns something true, and return that.

    An exception inside ``check`` counts as "not yet"; the last one is shown when the time is over.
    ``what`` tells what was waited for; as a function it is asked at the end only. ``of`` is the
    program that is to do it: its last lines are shown, and its end is the end of the waiting.
    """
    end = time.monotonic() + within_seconds
    while True:
        error: Exception | None = None
        ended = of is not None and not of.is_running
        try:
            result = check()
            if result:
                return result
        except Exception as raised:  # whatever it was, it may pass until the time is over
            error = raised
        if ended or time.monotonic() >= end:
            text = (what() if callable(what) else what) or str(check)
            if of is not None:
                text += f"\n{of.name} {'has ended' if ended else 'runs'}, it said:\n{of.tail()}"
            raise AssertionError(f"not within {within_seconds:g} s: {text}") from error
        time.sleep(every_seconds)


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
