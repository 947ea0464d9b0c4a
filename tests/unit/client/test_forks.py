"""A client, and all that a process remembers, on both sides of a fork."""

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import OperationalError

import queueing
from queueing.broker.idempotency import random_tails
from queueing.client import QueueClient, rsmq
from queueing.client.default import connect, use_client
from queueing.conf import Config
from queueing.resilience.circuit_breaker import CircuitBreaker
from queueing.resilience.single_flight import SingleFlight
from queueing.views import Probe
from tests.support.forks import in_forks
from tests.support.program import Program
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads, in_thread
from tests.support.waiting import eventually, free_port

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

#: Ways in which a project may have made its client.
WAYS: dict[str, Callable[[str], QueueClient]] = {
    "of the settings": lambda url: connect(Config(URL=url)),
    "with one connection": lambda url: connect(Config(URL=url), connections=1),
    "on the project's Redis": lambda url: QueueClient(redis.Redis.from_url(url)),
    "on a blocking pool": lambda url: QueueClient(
        redis.Redis(connection_pool=redis.BlockingConnectionPool.from_url(url))
    ),
}


@pytest.fixture(params=WAYS)
def client(request: pytest.FixtureRequest, redis_server: RedisServer) -> Iterator[QueueClient]:
    client = WAYS[request.param](redis_server.url)
    client.create_queue("q")
    yield client
    client.redis.connection_pool.disconnect()


def bodies(client: QueueClient) -> list[str]:
    return sorted(message.body for message in client.receive_messages("q", 1000))


def test_messages_from_four_forks_after_a_first_send_are_stored(client: QueueClient) -> None:
    client.send_message("q", "before")

    def send(number: int) -> list[str]:
        return [client.send_message("q", f"{number} {count}") for count in range(25)]

    ids = [id for sent in in_forks(send, count=4) for id in sent]
    client.send_message("q", "after")
    assert len(set(ids)) == 100
    assert bodies(client) == sorted(
        ["after", "before", *(f"{number} {count}" for number in range(4) for count in range(25))]
    )


def test_batches_in_forks_are_stored_too(client: QueueClient) -> None:
    client.send_messages("q", ["first", "second"])
    in_forks(lambda number: client.send_messages("q", [f"{number}", f"{number}"]), count=4)
    assert bodies(client) == ["0", "0", "1", "1", "2", "2", "3", "3", "first", "second"]


def test_forks_of_a_process_whose_threads_are_sending_and_receiving_lose_nothing(client: QueueClient) -> None:
    sent: list[str] = []
    ended = threading.Event()

    def keep_sending() -> None:
        while not ended.is_set():
            sent.append(client.send_message("q", "thread"))

    def receive_nothing() -> None:
        while not ended.is_set():
            client.receive_messages("empty", wait_seconds=0.1)

    client.create_queue("empty")
    with Threads(3) as threads:
        working = [threads.submit(work) for work in (keep_sending, keep_sending, receive_nothing)]
        try:
            eventually(lambda: len(sent) > 3)

            def send_and_look(number: int) -> str:
                client.receive_messages("empty", wait_seconds=0.05)
                return client.send_message("q", "fork")

            forked = [id for _ in range(5) for id in in_forks(send_and_look, count=4)]
        finally:
            ended.set()
        for work in working:
            work.result(60)
    assert len({*sent, *forked}) == len(sent) + len(forked) == client.get_queue_attributes("q").msgs


def test_a_fork_of_a_process_that_waits_is_woken_itself(
    client: QueueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rsmq, "POLL_SECONDS", 60.0)
    client.create_queue("parents")
    ready = get_context("fork").Event()
    with Threads(2) as threads:
        parent = threads.submit(client.receive_messages, "parents", wait_seconds=20)
        eventually(lambda: client.redis.pubsub_numsub(client.keys.channel("parents"))[0][1])

        def receive(number: int) -> list[str]:
            ready.set()
            return [message.body for message in client.receive_messages("q", wait_seconds=30)]

        forked = threads.submit(in_forks, receive)
        assert ready.wait(60)
        eventually(lambda: client.redis.pubsub_numsub(client.keys.channel("q"))[0][1])
        client.send_message("q", "for the fork")
        assert forked.result(60) == [["for the fork"]]
        client.send_message("parents", "for the parent")
        assert [message.body for message in parent.result(60)] == ["for the parent"]


def test_the_client_of_a_process_pool_is_that_of_the_process(redis_server: RedisServer) -> None:
    use_client(connect(Config(URL=redis_server.url)))
    try:
        client = queueing.get_client()
        client.create_queue("q")
        client.send_message("q", "before")
        with get_context("fork").Pool(4) as pool:
            ids = pool.map_async(send_by_name, map(str, range(100)), chunksize=1).get(60)
    finally:
        use_client(None)
    assert len(set(ids)) == 100
    assert client.get_queue_attributes("q").msgs == 101


def send_by_name(body: str) -> str:
    return queueing.get_client().send_message("q", body)


def test_forks_draw_other_ids() -> None:
    random_tails(1)
    tails = in_forks(lambda _: [random_tails(1)[0] for _ in range(100)], count=3)
    assert len({tail for drawn in tails for tail in drawn}) == 300


APPLICATION = """
import os, redis
from queueing.client import QueueClient

client = QueueClient(redis.Redis.from_url(os.environ["QUEUE_URL"]))
client.create_queue("q")
client.send_message("q", "at import")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    id = client.send_message("q", environ["QUERY_STRING"])
    return [f'["{id}", {os.getpid()}]'.encode()]
"""


def test_gunicorn_that_loads_the_project_before_it_forks(
    redis_server: RedisServer, redis_connection: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "preloaded.py").write_text(APPLICATION)
    port = free_port()
    options = f"--preload --workers 4 --bind 127.0.0.1:{port} --chdir {tmp_path} preloaded"
    gunicorn = Program(
        [sys.executable, "-m", "gunicorn", *options.split()],
        env={"QUEUE_URL": redis_server.url, "PYTHONPATH": str(ROOT)},
    )

    def send(body: str) -> tuple[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?{body}", timeout=60) as answer:
            id, pid = json.load(answer)
            return id, pid

    with gunicorn:
        eventually(lambda: send("warm-up"), of=gunicorn)
        with Threads(8) as visitors:
            sent = list(visitors.map(send, map(str, range(200))))
    assert len({pid for _, pid in sent}) > 1
    assert len({id for id, _ in sent}) == 200
    stored = {message.body for message in QueueClient(redis_connection).receive_messages("q", 1000)}
    assert stored == {"at import", "warm-up", *map(str, range(200))}


# --- locks that are held while the process forks ----------------------------------------------


def held_in_a_thread(hold: Callable[[Callable[[], None]], object], forked: Callable[[], object]) -> object:
    """The result of ``forked`` in a fork that is made while a thread is inside ``hold``."""
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        inside.set()
        assert leave.wait(60)

    with in_thread(lambda: hold(stay), end=leave.set):
        assert inside.wait(60)
        return in_forks(lambda _: forked())[0]


def test_a_fork_reads_for_itself_what_its_parent_is_reading() -> None:
    stays: list[Callable[[], None]] = []

    def read(key: str) -> str:
        if stays:
            stays.pop()()
        return "read"

    shared = SingleFlight(read)

    def hold(stay: Callable[[], None]) -> None:
        stays.append(stay)
        shared.get("a")

    assert held_in_a_thread(hold, lambda: shared.get("a").value) == "read"


def test_a_fork_asks_its_own_question_while_its_parent_waits_for_an_answer() -> None:
    stays: list[Callable[[], None]] = []

    def ask() -> None:
        if stays:
            stays.pop()()

    probe = Probe("redis", ask)

    def hold(stay: Callable[[], None]) -> None:
        stays.append(stay)
        probe.start().result(60)

    assert held_in_a_thread(hold, lambda: probe.start().result(60)) == "ok"


def test_a_fork_waits_though_its_parent_holds_the_lock_of_those_who_wait(client: QueueClient) -> None:
    def hold(stay: Callable[[], None]) -> None:
        with client.wakeups._lock:
            stay()

    assert held_in_a_thread(hold, lambda: client.receive_messages("q", wait_seconds=0.1)) == []


def test_a_fork_sends_though_a_thread_of_its_parent_holds_the_locks_of_the_pool(client: QueueClient) -> None:
    pool: Any = client.redis.connection_pool
    # Older versions of redis-py have fewer locks.
    found = [getattr(owner, "_lock", None) for owner in (pool, getattr(pool, "_event_dispatcher", None))]

    def hold(stay: Callable[[], None]) -> None:
        with ExitStack() as held:
            for lock in filter(None, found):
                held.enter_context(lock)
            stay()

    assert held_in_a_thread(hold, lambda: client.send_message("q", "fork"))
    assert bodies(client) == ["fork"]


def test_a_fork_does_not_inherit_the_open_circuit_of_its_parent() -> None:
    breaker = CircuitBreaker(slow_seconds=-1, open_seconds=60.0)
    with pytest.raises(OperationalError), breaker.guard():
        raise OperationalError("connection timeout expired")

    def ask() -> str:
        with breaker.guard():
            return "asked"

    assert in_forks(lambda _: ask()) == ["asked"]
