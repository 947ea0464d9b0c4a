"""Small Redis plans allow twenty connections: the tests count those of each process."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import eventually
from tests.support.web_process import Visitor, WebProcess
from tests.support.worker_process import WorkerProcess

BUDGET = 3


def opened(program: Program, server: RedisServer) -> int:
    """The number of connections to the server from the processes of the program.

    For a moment, Redis still counts a connection that was replaced after a timeout.
    """
    found = set()
    for process in program.members():
        with suppress(psutil.NoSuchProcess):
            found |= {
                end.laddr
                for end in process.net_connections("tcp")
                if end.raddr and end.raddr.port == server.port and end.status == psutil.CONN_ESTABLISHED
            }
    return len(found)


def test_a_worker_of_one_process_has_three_connections_with_any_threads_and_handlers(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    server = own_redis()
    with server.connect() as connection:
        client = QueueClient(connection)
        client.create_queue("sending")
        client.create_queue("ledger")
        client.send_messages("sending", [str(number) for number in range(200)])
        most = 0

        def all_passed_on() -> bool:
            nonlocal most
            most = max(most, opened(process, server))
            return client.get_queue_attributes("ledger").totalsent == 200

        with worker("sending", "--processes", "1", "--threads", "8", redis_url=server.url) as process:
            eventually(all_passed_on, of=process)
            assert len({entry.pid for entry in ledger.entries()}) == 1
        figure(f"runworker --processes 1 --threads 8, handlers that send: {most} Redis connections at most")
    assert 0 < most <= BUDGET


def test_a_web_process_has_three_connections_with_any_number_of_threads(
    own_redis: Callable[..., RedisServer],
    database: Path,
    collected_static: None,
    figure: Callable[[str], None],
):
    server = own_redis()
    web = WebProcess(redis_url=server.url, database_url=f"sqlite:///{database}")
    with web:
        most = 0

        def visit(_: int) -> int:
            nonlocal most
            status = Visitor(web.port).get("/").status
            most = max(most, opened(web, server))
            return status

        with Threads(10) as threads:
            statuses = list(threads.map(visit, range(100)))
        figure(f"web process with 5 threads under 10 visitors: {most} Redis connections at most")
    assert set(statuses) == {200}
    assert 0 < most <= BUDGET
