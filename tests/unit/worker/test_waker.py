"""Waiting for pipes, also in a process that has many files open."""

import gc
import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from queueing.worker.waker import Waker, readable


@pytest.fixture
def many_files() -> Iterator[None]:
    """The next pipes have descriptors that ``select`` refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    opened: list[int] = []
    try:
        while not opened or opened[-1] < 1024:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files() -> Counter[str]:
    """Count the open descriptors of this process by name. Both ends of a pipe have one name."""
    names: list[str] = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return Counter(names)


def test_the_pipe_of_a_waker_is_closed_with_it():
    wakers = [Waker() for _ in range(10)]
    pipes = [os.readlink(f"/proc/self/fd/{waker.fileno()}") for waker in wakers]
    assert [open_files()[pipe] for pipe in pipes] == [2] * 10
    wakers.clear()
    gc.collect()
    assert [open_files()[pipe] for pipe in pipes] == [0] * 10


def test_a_readable_or_ended_descriptor_is_returned(many_files: None):
    silent, rung = Waker(), Waker()
    rung.wake()
    read, write = os.pipe()
    os.close(write)
    assert min(silent.fileno(), read) > 1023
    assert readable([silent.fileno(), rung.fileno(), read], 60) == {rung.fileno(), read}
    assert readable([silent.fileno()], 0) == set()
