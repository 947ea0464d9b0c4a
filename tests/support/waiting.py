"""Bounded polling, the only way in which tests wait."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

T = TypeVar("T")

#: Longer than any wait on a busy machine, so only a hang reaches it. Promises in seconds have their own
#: bounds.
HANG_SECONDS = 60.0


class Running(Protocol):
    """A started program. Waiting for its effects ends when the program ends."""

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
    """Call ``check`` until it returns a true value, and return that value.

    An exception in ``check`` means "not yet"; the last one is shown after a timeout. ``what`` describes
    the condition; as a function it is called after a timeout only. ``of`` is the program that should cause
    it: its last lines are shown, and its end ends the wait.
    """
    end = time.monotonic() + within_seconds
    while True:
        error: Exception | None = None
        ended = of is not None and not of.is_running
        try:
            result = check()
            if result:
                return result
        except Exception as raised:  # any error may disappear before the timeout
            error = raised
        if ended or time.monotonic() >= end:
            text = (what() if callable(what) else what) or str(check)
            if of is not None:
                text += f"\n{of.name} {'has ended' if ended else 'runs'}, it said:\n{of.tail()}"
            raise AssertionError(f"not within {within_seconds:g} s: {text}") from error
        time.sleep(every_seconds)


#: Ports for the tests' servers. No system uses them for outgoing connections, which could take the port of a
#: server that is about to start or restart.
PORTS = range(24_000, 32_000)
#: Nodes of a cluster listen on a second port, 10,000 above: from 22,000 to 24,000.
NODE_PORTS = range(12_000, 14_000)
#: Parallel test processes have a share each.
SHARES = 12


def free_port(ports: range = PORTS) -> int:
    """A loopback TCP port that was free a moment ago. No other test process chooses it."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    size = len(ports) // SHARES
    while True:
        port = ports[share * size + secrets.randbelow(size)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def accepts(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a server listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, port)) == 0
