"""The pool: what becomes of connections that were closed at the other end, or by a fork."""

from collections.abc import Iterator

import pytest
import redis

from queueing.broker.pool import Pool
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from queueing.exceptions import QueueUnavailable
from queueing.resilience.deadline import within
from tests.support.forks import in_forks
from tests.support.waiting import eventually


@pytest.fixture
def client(redis_server) -> Iterator[QueueClient]:
    client = connect(Config(URL=f"{redis_server.url}?client_name=pool", TIMEOUT=2.0), connections=2)
    yield client
    client.redis.connection_pool.disconnect()


def cut(client: QueueClient, redis_server) -> None:
    """Close, at the server, what the client has open."""
    with redis_server.connect() as other:
        mine = [one["id"] for one in other.client_list() if one["name"] == "pool"]
        assert mine
        for number in mine:
            other.client_kill_filter(_id=number)


def test_a_closed_idle_connection_is_replaced_before_a_call_that_cannot_be_repeated(
    client, redis_server, monkeypatch
):
    monkeypatch.setattr(Pool, "FRESH_SECONDS", 0.0)
    client.create_queue("q")
    sent = client.send_message("q", "text")
    cut(client, redis_server)
    assert client.pop_message("q").id == sent


def test_a_call_that_may_be_repeated_does_not_notice_at_all(client, redis_server, monkeypatch):
    monkeypatch.setattr(Pool, "FRESH_SECONDS", 60.0)
    client.create_queue("q")
    cut(client, redis_server)
    assert len(client.send_message("q", "text")) == 32


def test_a_connection_that_cannot_be_made_is_given_back(own_redis):
    server = own_redis()
    client = connect(Config(URL=server.url, TIMEOUT=0.3), connections=1)
    client.ping()
    server.kill()
    for _ in range(3):  # were it kept, the second would find no connection
        with pytest.raises(QueueUnavailable, match="refused"):
            client.ping()
    server.start()
    client.ping()
    client.redis.connection_pool.disconnect()


def test_an_unread_reply_is_not_the_reply_to_the_next_call(client, monkeypatch):
    monkeypatch.setattr(Pool, "FRESH_SECONDS", 0.0)
    pool = client.redis.connection_pool
    connection = pool.get_connection()
    connection.send_command("ECHO", "stray")
    eventually(connection.can_read)
    pool.release(connection)
    assert client.redis.ping() is True


def test_a_forked_child_has_connections_of_its_own(client):
    client.ping()
    pool = client.redis.connection_pool
    before = pool.get_connection()

    def has_another(number: int) -> bool:
        client.ping()
        pool.release(before)  # the parent's: closed here, and not lent again
        return pool.get_connection() is not before

    assert in_forks(has_another) == [True]
    pool.release(before)
    client.ping()


def test_the_driver_s_own_client_uses_it_too(client):
    with pytest.raises(redis.ResponseError):
        client.redis.execute_command("NO-SUCH-COMMAND")
    assert client.redis.pipeline().set("a", 1).get("a").execute() == [True, b"1"]


def test_a_request_without_time_left_is_refused_immediately_and_costs_no_connection(client):
    for seconds in (0.0, -0.1):  # a failed call may take a little longer than there was
        for _ in range(3):
            with within(seconds), pytest.raises(redis.ConnectionError, match="a moment ago"):
                client.redis.info("memory")
    client.ping()
