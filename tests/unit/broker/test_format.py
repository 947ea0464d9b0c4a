"""The format of the namespace's keys is noted once, and an older release refuses a newer one."""

import re
import socket
from contextlib import suppress
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from redis import Redis

from queueing.broker.keys import FORMAT
from queueing.client import QueueClient
from queueing.conf import get_conf
from queueing.exceptions import NewerFormat, QueueRefused, QueueUnavailable, ReplyLost
from queueing.worker import preflight
from queueing.worker.preflight import refusal
from tests.support.threads import in_thread


@pytest.fixture
def fresh(redis_connection) -> QueueClient:
    """A client that has not called Redis yet."""
    return QueueClient(redis_connection)


def noted(client: QueueClient) -> bytes | None:
    return client.redis.get(client.keys.format())


def test_a_send_notes_no_format(fresh: QueueClient):
    fresh.create_queue("q")
    fresh.send_message("q", "body")
    assert noted(fresh) is None


def test_a_worker_notes_the_format_of_its_release(fresh: QueueClient):
    for _ in range(2):
        fresh.session.write_format()
        assert noted(fresh) == str(FORMAT).encode()


def test_a_worker_of_an_older_release_does_not_lower_it(fresh: QueueClient):
    fresh.ping()  # It knows the format, and a newer worker starts later.
    fresh.redis.set(fresh.keys.format(), FORMAT + 1)
    fresh.session.write_format()
    assert noted(fresh) == str(FORMAT + 1).encode()


@pytest.mark.parametrize("garbage", ["", "one", "-1", "0", "NaN"])
def test_a_format_that_cannot_be_read_stops_nobody(fresh: QueueClient, garbage: str):
    fresh.redis.set(fresh.keys.format(), garbage)
    assert fresh.create_queue("q") == 1
    fresh.session.write_format()
    assert noted(fresh) == str(FORMAT).encode()


def test_a_key_of_another_type_stops_nobody(fresh: QueueClient):
    fresh.redis.rpush(fresh.keys.format(), "2")
    assert fresh.create_queue("q") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.send_message("q", "body"),
        lambda client: client.receive_message("q"),
        lambda client: client.list_queues(),
        lambda client: client.ping(),
        lambda client: client.session.write_format(),
    ],
)
def test_a_newer_format_is_refused_before_anything_is_read_or_written(fresh: QueueClient, call):
    fresh.redis.set(fresh.keys.format(), FORMAT + 1)
    for _ in range(2):
        with pytest.raises(
            NewerFormat, match=f"format {FORMAT + 1}.*up to {FORMAT}: install the newer"
        ) as caught:
            call(fresh)
        assert isinstance(caught.value, QueueRefused)
        assert caught.value.is_lasting
    assert fresh.redis.keys("*") == [fresh.keys.format().encode()]


def test_after_the_newer_format_is_gone_the_same_client_works(fresh: QueueClient):
    fresh.redis.set(fresh.keys.format(), FORMAT + 1)
    with pytest.raises(NewerFormat):
        fresh.ping()
    fresh.redis.delete(fresh.keys.format())
    assert fresh.create_queue("q") == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_not_start(fresh: QueueClient, redis_server, settings, monkeypatch):
    monkeypatch.setattr(preflight, "PATIENCE_SECONDS", 60.0)  # for a busy machine
    settings.QUEUEING = {**settings.QUEUEING, "URL": redis_server.url}
    assert refusal(get_conf()) == ""
    assert noted(fresh) == str(FORMAT).encode()
    fresh.redis.set(fresh.keys.format(), FORMAT + 1)
    assert f"format {FORMAT + 1}" in refusal(get_conf())


def test_the_terminal_shows_it(shared_client: QueueClient):
    shared_client.redis.set(shared_client.keys.format(), FORMAT + 1)
    with pytest.raises(CommandError, match=f"format {FORMAT + 1}"):
        call_command("queues", "list")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/queueing/queue/", "/admin/queueing/worker/"])
def test_the_console_shows_it(shared_client: QueueClient, admin_client, path: str):
    shared_client.redis.set(shared_client.keys.format(), FORMAT + 1)
    assert f"format {FORMAT + 1}" in admin_client.get(path).content.decode()


@pytest.mark.django_db
def test_the_page_sends_nothing_and_the_probe_reports_it(shared_client: QueueClient):
    shared_client.redis.set(shared_client.keys.format(), FORMAT + 1)
    assert Client().get("/readyz").status_code == 503
    assert Client().post("/job", headers={"accept": "application/json"}).status_code == 503


def hang_up_on_scripts(server: socket.socket) -> None:
    """Answer the greetings of clients, and close their connections at their first script."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                while b"EVALSHA" not in (data := connection.recv(4096)) and data:
                    connection.sendall(b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n", data)))


def test_a_lost_reply_of_the_check_is_none_of_the_call_behind_it():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        in_thread(partial(hang_up_on_scripts, server), end=lambda: server.shutdown(socket.SHUT_RDWR)),
    ):
        client = QueueClient(Redis(port=server.getsockname()[1], socket_timeout=5, protocol=2))
        with pytest.raises(QueueUnavailable) as caught:
            client.pop_message("q")
        client.redis.close()
    assert not isinstance(caught.value, ReplyLost)
