"""Waiting for pipes, also in a process that has many files open."""

import gc
import os
import resource
from collections.abc import Iterator

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


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_pipe_of_a_waker_is_closed_with_it():
    before = open_files()
    wakers = [Waker() for _ in range(10)]
    assert open_files() == before + 20
    wakers.clear()
    gc.collect()
    assert open_files() == before


def test_a_readable_or_ended_descriptor_is_returned(many_files: None):
    silent, rung = Waker(), Waker()
    rung.wake()
    read, write = os.pipe()
    os.close(write)
    assert min(silent.fileno(), read) > 1023
    assert readable([silent.fileno(), rung.fileno(), read], 60) == {rung.fileno(), read}
    assert readable([silent.fileno()], 0) == set()
