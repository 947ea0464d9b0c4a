"""How long a page waits for Redis in all, on a Redis that is stopped."""

import os
import signal
from collections.abc import Iterator

import pytest

from queueing.broker import pool as pools
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from queueing.resilience import deadline
from queueing.resilience.deadline import within


@pytest.fixture
def client(redis_server) -> Iterator[QueueClient]:
    client = connect(Config(URL=redis_server.url, TIMEOUT=1.0), connections=1)
    client.ping()
    yield client
    client.redis.connection_pool.disconnect()


@pytest.fixture
def silence(client, redis_server) -> Iterator[None]:
    os.kill(redis_server.pid, signal.SIGSTOP)
    yield
    os.kill(redis_server.pid, signal.SIGCONT)


@pytest.fixture
def asked(client, monkeypatch) -> list[float]:
    """How many seconds each question to Redis may wait for its answer."""
    seconds: list[float] = []
    look_after = pools._look_after

    def note(connection) -> None:
        seconds.append(connection.socket_timeout)
        look_after(connection)

    monkeypatch.setattr(pools, "_look_after", note)
    monkeypatch.setattr(pools.Pool, "FRESH_SECONDS", -1.0)  # each loan checks the connection
    return seconds


def in_vain(client: QueueClient) -> None:
    with pytest.raises(QueueUnavailable):
        client.ping()


def test_all_calls_together_wait_so_long(client, asked, silence):
    with within(0.2):
        in_vain(client)
        assert asked == [pytest.approx(0.2, abs=0.01)]
        in_vain(client)
    assert len(asked) == 1


def test_without_it_and_after_it_a_call_has_its_own_time(client, asked, silence):
    with within(0.2):
        in_vain(client)
    asked.clear()
    in_vain(client)
    assert set(asked) == {1.0}


def test_a_reader_believes_another_and_who_changes_something_tries_itself(
    client, asked, silence, monkeypatch
):
    monkeypatch.setattr(deadline, "BELIEVED_SECONDS", 60.0)
    with within(0.2, is_read=True):
        in_vain(client)
    asked.clear()
    with within(0.2, is_read=True):
        in_vain(client)
    assert asked == []
    with within(0.2):
        in_vain(client)
    assert asked == [pytest.approx(0.2, abs=0.01)]


def test_an_answered_call_uses_nothing_up(client):
    with within(60.0):
        for _ in range(10):
            client.ping()
        assert deadline.current().seconds_left == 60.0
