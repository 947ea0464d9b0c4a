"""The one place where a test waits: bounded polling."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

T = TypeVar("T")

#: Only something that hangs takes longer, even on a busy machine. A promise of seconds has its own bound.
HANG_SECONDS = 60.0


class Running(Protocol):
    """A started program: there is no use in waiting for what it does once it has ended."""

    name: str

    @property
    def is_running(self) -> bool: ...

    def tail(self) -> str: ...


def eventually(
    check: Callable[[], T],
    *,
    within_seconds: float = HANG_SECONDS,
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


#: Ports for the tests' servers: no system gives them to outgoing connections, which would take the place
#: of a server that is about to start, or to start again.
PORTS = range(20_000, 32_000)
#: Test processes that run side by side have a share each.
SHARES = 12


def free_port() -> int:
    """A loopback TCP port that was free a moment ago, and that no other test process chooses."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    size = len(PORTS) // SHARES
    while True:
        port = PORTS[share * size + secrets.randbelow(size)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
