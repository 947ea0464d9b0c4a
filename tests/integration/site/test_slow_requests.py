"""Requests that arrive slowly or incompletely at the real server."""

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from queueing.client import QueueClient
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.web_process import Visitor, WebProcess

#: More connections than the server has threads.
CONNECTIONS = 8
HEAD = b"POST /job HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def web(redis_server: RedisServer, database: Path, collected_static: None) -> Iterator[WebProcess]:
    with WebProcess(redis_url=redis_server.url, database_url=f"sqlite:///{database}") as process:
        yield process


class SlowClient:
    """Sends the beginning of a request, then a byte now and then."""

    def __init__(self, port: int, begin: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(begin)
        self.socket.setblocking(False)

    def drip(self) -> None:
        with suppress(OSError):
            self.socket.send(b"a")

    @property
    def was_hung_up_on(self) -> bool:
        """Whether the server has answered or closed the connection."""
        try:
            self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


@pytest.mark.parametrize("begin", [HEAD + b"X-", HEAD + FORM + b"a="], ids=["half a header", "half a body"])
def test_slow_requests_do_not_block_the_site(web: WebProcess, begin: bytes):
    patient = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    patient.request("GET", "/healthz")
    patient.getresponse().read()
    clients = [SlowClient(web.port, begin) for _ in range(CONNECTIONS)]
    waiting = set(clients)

    def all_ended() -> bool:
        for client in list(waiting):
            client.drip()
            if client.was_hung_up_on:
                waiting.discard(client)
        return not waiting

    eventually(all_ended, of=web, every_seconds=0.2)
    assert Visitor(web.port).get("/healthz").status == 200
    # A connection that is kept alive meanwhile has no deadline.
    patient.request("GET", "/healthz")
    assert patient.getresponse().status == 200
    patient.close()
    for client in clients:
        client.socket.close()


def test_an_incomplete_form_is_not_processed(web: WebProcess, client: QueueClient):
    visitor = Visitor(web.port)
    page = visitor.get("/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = f"csrfmiddlewaretoken={token}&id=901"
    request = (
        f"POST /job HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        f"Cookie: csrftoken={visitor.cookies['csrftoken']}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form) + 3}\r\n\r\n{form}"
    )
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    assert client.get_queue_attributes("testqueue").totalsent == 0
    assert visitor.press().status == 202
