"""The in-memory Redis, over its socket: the features that the client of the queue needs."""

import sys
from collections.abc import Iterator

import pytest
import redis

from queueing.client import QueueClient
from tests.support.program import Program
from tests.support.waiting import accepts, eventually, free_port


@pytest.fixture
def connection() -> Iterator[redis.Redis]:
    port = free_port()
    with Program([sys.executable, "-m", "mqsite.devserver.fake_redis", str(port)]) as server:
        eventually(lambda: accepts(port), what=server.tail)
        with redis.Redis(port=port, single_connection_client=True) as connection:
            yield connection


def test_an_error_is_a_reply_and_does_not_end_the_connection(connection: redis.Redis):
    number = connection.client_id()
    with pytest.raises(redis.exceptions.NoScriptError):
        connection.evalsha("0" * 40, 0)
    with pytest.raises(redis.ResponseError):
        connection.execute_command("NOSUCH")
    connection.set("text", "a")
    with pytest.raises(redis.ResponseError):
        connection.hset("text", "field", "b")
    assert connection.client_id() == number


def test_it_reports_that_it_evicts_no_key(connection: redis.Redis):
    assert QueueClient(connection).session.eviction_policy() == "noeviction"


def test_the_client_of_the_queue_sends_and_receives(connection: redis.Redis):
    client = QueueClient(connection)
    client.create_queue("q")
    message_id = client.send_message("q", "line\r\nanother é 😀")
    received = client.receive_message("q")
    assert received
    assert (received.id, received.body) == (message_id, "line\r\nanother é 😀")
    assert client.delete_message("q", message_id) == 1
    assert client.receive_message("q") is None
