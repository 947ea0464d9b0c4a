"""How long a page waits for Redis in all, on a Redis that is stopped."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from queueing.client import QueueClient
from queueing.conf import Conf
from queueing.connections import connect
from queueing.exceptions import QueueUnavailable
from queueing.patience import patience


@pytest.fixture
def client(redis_server) -> Iterator[QueueClient]:
    client = connect(Conf(URL=redis_server.url, TIMEOUT=1.0), connections=1)
    client.ping()
    yield client
    client.redis.connection_pool.disconnect()


@pytest.fixture
def silence(client, redis_server) -> Iterator[None]:
    os.kill(redis_server.pid, signal.SIGSTOP)
    yield
    os.kill(redis_server.pid, signal.SIGCONT)


def seconds_of(client: QueueClient) -> float:
    began = time.monotonic()
    with pytest.raises(QueueUnavailable):
        client.ping()
    return time.monotonic() - began


def test_all_calls_together_wait_so_long(client, silence):
    with patience(0.2):
        assert 0.15 < seconds_of(client) < 0.5
        assert seconds_of(client) < 0.05


def test_without_it_and_after_it_a_call_has_its_own_time(client, silence):
    with patience(0.2):
        seconds_of(client)
    assert seconds_of(client) >= 0.9


def test_a_reader_believes_another_and_who_changes_something_tries_itself(client, silence):
    with patience(0.2, is_read=True):
        seconds_of(client)
    with patience(0.2, is_read=True):
        assert seconds_of(client) < 0.05
    with patience(0.2):
        assert seconds_of(client) > 0.15


def test_what_is_answered_uses_nothing_up(client):
    with patience(0.2):
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            client.ping()
        client.ping()
