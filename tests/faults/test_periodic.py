"""Schedules with a tick per second while workers are killed: no tick is sent twice, and none is missing
except by policy.
"""

from collections import defaultdict
from collections.abc import Callable

import pytest

from queueing.broker.scripts import load
from queueing.client import QueueClient
from queueing.scheduling import store
from tests.support.cutting_proxy import CutEachOnce, CuttingProxy
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.ticking.settings"}
BUDGET = 3

Ticking = Callable[..., WorkerProcess]


@pytest.fixture
def ticking(worker: Callable[..., WorkerProcess]) -> Ticking:
    """Makes workers of queues with schedules: ``ticking("all-ticks")``."""
    return lambda *queues, **more: worker(*queues, env=SETTINGS, **more)


def ticks(ledger: Ledger, prefix: str = "") -> dict[int, set[str]]:
    """Second of a tick -> the messages that were sent for it and have run."""
    found: dict[int, set[str]] = defaultdict(set)
    for entry in ledger.entries("end"):
        body = entry.body.strip("'")
        if body.startswith("once ") == bool(prefix):
            found[int(body.removeprefix(prefix))].add(entry.message_id)
    return dict(found)


def assert_each_tick_once(found: dict[int, set[str]]) -> None:
    twice = {second: ids for second, ids in found.items() if len(ids) > 1}
    assert not twice, f"sent more than once: {twice}"


def assert_none_is_missing(found: dict[int, set[str]]) -> None:
    assert sorted(found) == list(range(min(found), max(found) + 1))


def wait_for_ticks(ledger: Ledger, count: int, of: WorkerProcess, prefix: str = "") -> None:
    eventually(lambda: len(ticks(ledger, prefix)) >= count, of=of)


def test_when_one_of_two_workers_is_killed_no_tick_is_missing_or_sent_twice(
    ticking: Ticking, ledger: Ledger, client: QueueClient
):
    killed, left = ticking("all-ticks"), ticking("all-ticks")
    with killed, left:
        wait_for_ticks(ledger, 3, left)
        connections = [found["name"] for found in client.redis.client_list()]
        assert len(connections) - 1 <= 2 * BUDGET
        killed.kill_group()
        wait_for_ticks(ledger, 7, left)
    found = ticks(ledger)
    assert_each_tick_once(found)
    assert_none_is_missing(found)
    assert (
        client.get_queue_attributes("all-ticks").totalsent
        == len(found) + client.get_queue_attributes("all-ticks").msgs
    )


def test_ticks_without_a_worker_are_made_up_for_by_policy(
    ticking: Ticking, ledger: Ledger, client: QueueClient
):
    with ticking("all-ticks", "last-tick") as process:
        wait_for_ticks(ledger, 2, process)
        wait_for_ticks(ledger, 2, process, "once ")
        process.kill_group()
    killed_ms = client.now_ms()
    eventually(lambda: client.now_ms() > killed_ms + 3500)
    with ticking("all-ticks", "last-tick") as process:
        again_ms = client.now_ms()
        eventually(lambda: max(ticks(ledger)) > again_ms / 1000 + 1, of=process)
        eventually(lambda: max(ticks(ledger, "once ")) > again_ms / 1000 + 1, of=process)
    for prefix in ("", "once "):
        assert_each_tick_once(ticks(ledger, prefix))
    assert_none_is_missing(ticks(ledger))
    nobody_there = range(killed_ms // 1000 + 1, again_ms // 1000)
    assert len(nobody_there) >= 2
    assert not set(nobody_there) & set(ticks(ledger, "once "))


def test_a_tick_with_a_lost_reply_is_sent_once(
    ticking: Ticking, ledger: Ledger, redis_server: RedisServer, client: QueueClient
):
    rule = CutEachOnce(only=lambda words: words[1] == load("tick").digest)
    with (
        CuttingProxy(redis_server.port, rule) as proxy,
        ticking("all-ticks", redis_url=proxy.url) as process,
    ):
        # The first call sends the source of the script (EVAL), which is not cut.
        eventually(lambda: rule.cut >= 4, of=process)
    assert_each_tick_once(ticks(ledger))
    assert_none_is_missing(ticks(ledger))


def test_a_worker_schedules_only_its_own_queues_and_a_burst_schedules_none(
    ticking: Ticking, ledger: Ledger, client: QueueClient
):
    with ticking("last-tick") as process:
        wait_for_ticks(ledger, 1, process, "once ")
    assert [state.timing.queue for state in store.schedules(client.session)] == ["last-tick"]
    assert ticking("all-ticks", "--burst").run() == 0
    assert [state.timing.queue for state in store.schedules(client.session)] == ["last-tick"]
