"""Forks of the test process, each of which runs a function and ends."""

import multiprocessing
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from .waiting import HANG_SECONDS

_fork = multiprocessing.get_context("fork")


def in_forks(
    function: Callable[[int], Any], *, count: int = 1, within_seconds: float = HANG_SECONDS
) -> list[Any]:
    """Call ``function`` in ``count`` forks, each with its number, and return the results. Forks that hang are
    killed.

    Raises AssertionError if a fork raises or hangs.
    """
    ends: list[Connection] = []
    processes = []
    for number in range(count):
        end, other_end = _fork.Pipe(duplex=False)
        process = _fork.Process(target=_run, args=(function, number, other_end))
        with _forking():
            process.start()
        other_end.close()
        ends.append(end)
        processes.append(process)
    try:
        return [_received(end, within_seconds) for end in ends]
    finally:
        for process, end in zip(processes, ends, strict=True):
            end.close()
            process.kill()
            process.join(HANG_SECONDS)


@contextmanager
def _forking():
    """Allow a fork of a process with threads: that is the scenario under test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _run(function: Callable[[int], Any], number: int, end: Connection) -> None:
    try:
        end.send((function(number), ""))
    except BaseException as error:
        end.send((None, f"{type(error).__name__}: {error}"))


def _received(end: Connection, within_seconds: float) -> Any:
    assert wait([end], within_seconds), f"a fork hangs for {within_seconds:g} s"
    try:
        result, error = end.recv()
    except EOFError:
        raise AssertionError("a fork ended without a result") from None
    assert not error, f"a fork raised {error}"
    return result
