"""Unique jobs under kills and lost replies: a run follows each request, and no two run at the same time."""

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest

from queueing.broker import keys
from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import get_conf
from queueing.policies import policy_of, unique
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Entry, Ledger
from tests.support.redis_server import RedisServer
from tests.support.threads import Threads
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .app.handlers import rebuild

KEYS = ("a", "b", "c")
OPTIONS = ("unique", "--threads", "4", "--processes", "2")


@pytest.fixture(autouse=True)
def _policy_is_known(monkeypatch):
    """The senders of this process apply the policy of the handler, as a page does."""
    from queueing import handlers

    monkeypatch.setitem(handlers._handlers, "unique", handlers.Handler("unique", rebuild))


class Requests:
    """Threads that ask for rebuilds until they are stopped, and note when they began to ask."""

    def __init__(self, sender: QueueClient) -> None:
        self._sender = sender
        self.asked_ms: dict[str, float] = {}
        self.ids: set[str] = set()
        self.count = 0
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Requests":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        with Threads(len(KEYS)) as threads:
            list(threads.map(self._ask_for, KEYS))

    def _ask_for(self, key: str) -> None:
        while not self._is_stopped.wait(0.01):
            asked_ms = time.time() * 1000
            self.ids.add(self._sender.send_message("unique", f"{key} {self.count}"))
            self.asked_ms[key] = asked_ms
            self.count += 1


def runs_of(entries: list[Entry]) -> dict[str, list[list[float]]]:
    """For each key its runs as [start ms, end ms], without the end if the run was killed."""
    runs: dict[str, dict[tuple, list[float]]] = defaultdict(dict)
    for entry in entries:
        of_key = runs[entry.body.strip("'").split()[0]]
        of_key.setdefault((entry.message_id, entry.rc), []).append(entry.at_ms)
    return {key: sorted(of_key.values()) for key, of_key in runs.items()}


def check(client: QueueClient, ledger: Ledger, requests: Requests) -> None:
    runs = runs_of(ledger.entries())
    for key in KEYS:
        assert runs[key][-1][0] >= requests.asked_ms[key], "a run begins after the last request"
        for before, after in zip(runs[key], runs[key][1:], strict=False):
            assert len(before) == 1 or before[1] <= after[0], "no two run at the same time"
    assert len(requests.ids) < requests.count, "some requests were merged"
    assert client.redis.hgetall(keys.Keys("rsmq").unique("unique")) == {}


def drained(client: QueueClient, process: WorkerProcess) -> None:
    eventually(lambda: client.get_queue_attributes("unique").msgs == 0, within_seconds=90, of=process)


def test_kills_of_children_and_workers_swallow_no_request_and_start_no_second_run(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("unique")
    with Requests(client) as requests:
        with worker(*OPTIONS) as first:
            for number in range(1, 4):
                eventually(lambda number=number: ledger.count() >= 15 * number, of=first)
                os.kill(ledger.entries()[-1].pid, signal.SIGKILL)
            eventually(lambda: ledger.count() >= 60, of=first)
            first.kill_group()
        with worker(*OPTIONS) as second:
            requests.stop()
            drained(client, second)
            eventually(lambda: diary.ids("done") == requests.ids, of=second)
    check(client, ledger, requests)
    invariants.check(faults=5, drained=["unique"], diary=diary)


def test_lost_replies_swallow_no_request_and_start_no_second_run(
    redis_server: RedisServer, client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("unique")
    with CuttingProxy(redis_server.port, CutEachOnce()) as proxy:
        sender = connect(replace(get_conf(), URL=proxy.url), connections=8)
        with worker(*OPTIONS, redis_url=proxy.url) as process:
            with Requests(sender) as requests:
                eventually(lambda: ledger.count() >= 100, of=process)
            drained(client, process)
            assert process.is_running
        assert proxy.rule.cut >= requests.count
    check(client, ledger, requests)
    ledger.assert_each_ran_once(list(requests.ids))
    assert client.get_queue_attributes("unique").totalsent == len(requests.ids)


def test_a_killed_holder_blocks_no_longer_than_its_lease(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("unique")
    lock = unique.headers(policy_of(rebuild), "held", ["x"], {})
    held = client.send_message("unique", "held 1", headers=lock)
    from queueing.broker.leases import QueueLease

    lease = QueueLease(client.session, replace(get_conf(), LEASE=2.0), "killed", "unique")
    client.session.call(lease.claim(1, suspects="take"))
    follower = client.send_message("unique", "held 2", headers=lock)
    assert follower != held
    with worker(*OPTIONS) as process:
        eventually(lambda: ledger.runs()[follower] == 1, of=process)
    assert ledger.runs()[held] == 1
    assert ledger.starts_ms(held)[0] < ledger.starts_ms(follower)[0]
