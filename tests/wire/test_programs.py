"""The two Node programs of the article, unchanged, with this project's page and worker on one Redis."""

import urllib.request
from collections.abc import Callable

import queueing
from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.node_programs import node_program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def post(port: int) -> str:
    """Press the button of the Node page; returns the id."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/job", data=b"", method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def test_this_projects_worker_runs_messages_of_the_node_page(
    redis_server: RedisServer,
    client: QueueClient,
    diary: Diary,
    site_worker: Callable[..., WorkerProcess],
):
    environment = {"REDIS_PORT": str(redis_server.port)}
    with node_program("server.js", env=environment) as page, site_worker("testqueue") as worker:
        port = int(page.wait_for_line(r"^listening on \d+$").split()[-1])
        ids = [post(port) for _ in range(5)]
        eventually(lambda: diary.ids("done") == set(ids), of=worker)
        found = client.get_queue_attributes("testqueue")
        assert (found.totalsent, found.totalrecv, found.msgs) == (5, 5, 0)


def test_the_node_worker_takes_messages_of_this_projects_page(
    redis_server: RedisServer, shared_client: QueueClient
):
    shared_client.create_queue("testqueue")
    environment = {"REDIS_PORT": str(redis_server.port)}
    with node_program("worker.js", env=environment) as worker:
        worker.wait_for_line("^polling$")
        text = "Hello World at 2026-11-23T16:32:01.123456+00:00 — é 😀"
        message_id = queueing.send_message("testqueue", text)
        worker.wait_for_line(f"^received {message_id} {text}$".replace("+", r"\+"))
        worker.wait_for_line(f"^deleted {message_id} 1$")
    assert shared_client.get_queue_attributes("testqueue").msgs == 0
