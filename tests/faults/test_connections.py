"""Small plans allow twenty connections: what each process opens is counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from queueing.client import QueueClient
from tests.servers.ledger import Ledger
from tests.servers.redis_server import RedisServer
from tests.servers.waiting import eventually
from tests.servers.web_process import Visitor, WebProcess
from tests.servers.worker_process import WorkerProcess

OURS = "test"
BUDGET = 3


def others(connection: redis.Redis) -> int:
    """Connections that are not the test's."""
    return sum(found["name"] != OURS for found in connection.client_list())


def test_a_worker_of_one_process_has_three_connections_whatever_its_threads_and_handlers_do(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    server = own_redis()
    with server.connect(client_name=OURS) as connection:
        client = QueueClient(connection)
        client.create_queue("sending")
        client.create_queue("ledger")
        client.send_messages("sending", [str(number) for number in range(200)])
        most = 0

        def all_passed_on() -> bool:
            nonlocal most
            most = max(most, others(connection))
            return client.get_queue_attributes("ledger").totalsent == 200

        with worker("sending", "--processes", "1", "--threads", "8", redis_url=server.url) as process:
            eventually(all_passed_on, within_seconds=40, of=process)
            assert len({entry.pid for entry in ledger.entries()}) == 1
        figure(f"runworker --processes 1 --threads 8, handlers that send: {most} Redis connections at most")
    assert 0 < most <= BUDGET


def test_a_web_process_has_three_connections_whatever_its_threads(
    own_redis: Callable[..., RedisServer],
    database: Path,
    collected_static: None,
    figure: Callable[[str], None],
):
    server = own_redis()
    web = WebProcess(redis_url=server.url, database_url=f"sqlite:///{database}")
    with web, server.connect(client_name=OURS) as connection:
        most = 0

        def visit(_: int) -> int:
            nonlocal most
            status = Visitor(web.port).get("/").status
            most = max(most, others(connection))
            return status

        with ThreadPoolExecutor(10) as threads:
            statuses = list(threads.map(visit, range(100)))
        figure(f"web process with 5 threads under 10 visitors: {most} Redis connections at most")
    assert set(statuses) == {200}
    assert 0 < most <= BUDGET
