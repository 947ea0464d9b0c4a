"""Redis restarts with its append-only file: page and worker continue by themselves."""

import time
from collections.abc import Callable
from pathlib import Path

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.stalls import Stalls
from tests.support.waiting import eventually
from tests.support.web_process import Visitor, WebProcess
from tests.support.worker_process import WorkerProcess, site_environment


def accepted(visitor: Visitor) -> str | None:
    """The id of a posted message, None while the page cannot accept one."""
    answer = visitor.press()
    return str(answer.json()["id"]) if answer.status == 202 else None


def test_page_and_worker_continue_when_redis_is_back(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    database: Path,
    diary: Diary,
    collected_static: None,
    stalls: Stalls,
):
    server = own_redis(appendonly=True)
    database_url = f"sqlite:///{database}"
    site = site_environment(server.url, database_url)
    web = WebProcess(redis_url=server.url, database_url=database_url)
    with web, worker("testqueue", redis_url=server.url, env=site) as process:
        visitor = Visitor(web.port)
        first = visitor.press()
        assert first.status == 202, first
        waiting = [str(visitor.press().json()["id"]) for _ in range(4)]
        started = time.time()
        assert visitor.get("/").status == 200
        usual_seconds = stalls.awake(started, time.time())
        server.kill()

        started = time.time()
        page = visitor.get("/")
        assert page.status == 200
        assert stalls.awake(started, time.time()) < usual_seconds + 2
        assert "Redis" in page.text
        refused = visitor.press()
        assert refused.status == 503
        assert "error" in refused.json()

        said = len(process.lines)
        server.start()
        again = eventually(lambda: accepted(visitor), of=web)
        sent = {str(first.json()["id"]), *waiting, again}
        eventually(lambda: sent <= diary.ids("done"), of=process)
        assert web.is_running
        assert process.is_running
        assert "Traceback" not in process.output
        assert len(process.lines[:said]) < 60, "the worker logs it once, not in a loop"


def test_a_worker_waits_for_redis_at_its_start_and_is_back_within_five_seconds(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    stalls: Stalls,
):
    server = own_redis(appendonly=True)
    server.stop()
    with worker("ledger", redis_url=server.url) as process:
        process.wait_for_line("(?i)redis")
        server.start()
        with server.connect() as connection:
            client = QueueClient(connection)
            up_ms = client.now_ms()
            eventually(lambda: "ledger" in client.list_queues(), of=process)
            message_id = client.send_message("ledger", "after the outage")
            eventually(lambda: message_id in ledger.ids("end"), of=process)
            created = client.get_queue_attributes("ledger").created
            assert stalls.awake(up_ms / 1000, created) < 5, "the worker creates its queues when it is back"


def test_jobs_finish_and_settle_when_redis_is_away_for_longer_than_their_lease(
    own_redis: Callable[..., RedisServer],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
):
    server = own_redis(appendonly=True)
    with worker("slow", "--threads", "2", redis_url=server.url, env={"TEST_LEASE": "4"}) as process:
        with server.connect() as connection:
            client = QueueClient(connection)
            eventually(lambda: "slow" in client.list_queues(), of=process)
            ids = client.send_messages("slow", ["6 first", "6 second"])
            eventually(lambda: ledger.count("start") == 2, of=process)
        server.kill()
        eventually(lambda: ledger.count("end") == 2, of=process)
        server.start()
        eventually(lambda: diary.ids("done") == set(ids), of=process)
    ledger.assert_each_ran_once(ids)
