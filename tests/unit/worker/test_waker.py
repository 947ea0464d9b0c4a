"""Waiting for pipes, also in a process that has many files open."""

import os
import resource
from collections.abc import Iterator

import pytest

from queueing.worker.waker import Waker, readable


@pytest.fixture
def many_files() -> Iterator[None]:
    """The next pipes have descriptors that ``select`` refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield
    for descriptor in opened:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_readable_or_ended_descriptor_is_returned(many_files: None):
    silent, rung = Waker(), Waker()
    rung.wake()
    read, write = os.pipe()
    os.close(write)
    assert min(silent.fileno(), read) > 1023
    assert readable([silent.fileno(), rung.fileno(), read], 60) == {rung.fileno(), read}
    assert readable([silent.fileno()], 0) == set()
