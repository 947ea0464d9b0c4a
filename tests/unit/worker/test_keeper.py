"""The keeper's turn while Redis refuses what it asks for."""

import logging
import os
from collections.abc import Iterator
from itertools import count
from time import monotonic

import pytest
import redis

from queueing.client import QueueClient
from queueing.client.default import use_client
from queueing.conf import Config
from queueing.worker.heartbeat import Birth
from queueing.worker.keeper import RETRY_SECONDS, Keeper
from queueing.worker.processes import ChildProcess
from queueing.worker.recorder import GATHER_SECONDS
from queueing.worker.shared_memory import SharedMemory
from queueing.worker.waker import Waker, readable
from tests.support.waiting import eventually
from tests.unit.conftest import Hand


@pytest.fixture
def own_connection(own_redis) -> Iterator[redis.Redis]:
    with own_redis().connect() as connection:
        yield connection


@pytest.fixture
def keeper(own_connection: redis.Redis) -> Iterator[Keeper]:
    """The keeper of a child that holds a message."""
    client = QueueClient(own_connection)
    client.create_queue("work")
    client.send_message("work", "text")
    port = own_connection.connection_pool.connection_kwargs["port"]
    url = f"redis://127.0.0.1:{port}/0"
    config = Config(URL=url, LEASE=10, WORKER_NAME="worker", queues=("work",))
    Hand(client, config, "child").claim(1)
    memory = SharedMemory(1, 1, ("work",))
    memory.slots[0].hold(1, 1, ["work"])
    orders, end = os.pipe()
    keeper = Keeper(config, memory=memory, orders=orders, waker=Waker(), new_queues=Waker(), birth=Birth())
    keeper.children["child"] = ChildProcess("child", None, memory.slots[0])
    yield keeper
    use_client(None)
    keeper.client.redis.close()
    os.close(orders)
    os.close(end)


def lease_end(connection: redis.Redis) -> float:
    return connection.zscore("rsmq:work:leases", "child work")


#: Each turn is so late that leases are extended again.
_times = count(monotonic() + 3600.0, 60.0)


def turn(keeper: Keeper) -> float:
    return keeper.step(next(_times))


def test_an_extension_that_is_refused_is_soon_repeated(keeper: Keeper, own_connection: redis.Redis):
    assert turn(keeper) > RETRY_SECONDS
    before = lease_end(own_connection)
    own_connection.config_set("min-replicas-to-write", 1)
    assert turn(keeper) <= RETRY_SECONDS
    assert lease_end(own_connection) == before
    own_connection.config_set("min-replicas-to-write", 0)
    eventually(lambda: turn(keeper) > RETRY_SECONDS)
    assert lease_end(own_connection) > before


def test_a_queue_that_cannot_be_extended_is_reported_once(
    keeper: Keeper, own_connection: redis.Redis, caplog
):
    turn(keeper)
    own_connection.rename("rsmq:work:Q", "elsewhere")
    own_connection.set("rsmq:work:Q", "a string")
    for _ in range(3):
        turn(keeper)
    own_connection.rename("elsewhere", "rsmq:work:Q")
    turn(keeper)
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1


def test_one_turn_extends_only_what_is_held_in_one_round_trip(keeper: Keeper, own_connection: redis.Redis):
    keeper.memory.add_queues(f"empty{number}" for number in range(200))
    turn(keeper)
    trips: list[list[str]] = []
    call_each = keeper.client.session.call_each
    keeper.client.session.call_each = lambda calls: (
        trips.append([queue for call in calls for queue in call.queues]) or call_each(calls)
    )
    before = lease_end(own_connection)
    eventually(lambda: turn(keeper) and lease_end(own_connection) > before)
    assert trips == [["work"]] * len(trips)
    keeper.memory.slots[0].hold(0, 1)
    trips.clear()
    turn(keeper)
    assert trips == []


def test_settles_that_wake_the_keeper_do_not_make_it_extend(keeper: Keeper, own_connection: redis.Redis):
    now = next(_times)
    keeper.step(now)
    before = lease_end(own_connection)
    for _ in range(5):
        keeper.waker.wake()
        keeper.step(now + keeper.turn_seconds / 2)
    assert lease_end(own_connection) == before
    eventually(lambda: turn(keeper) and lease_end(own_connection) > before)


def test_settles_wake_the_keeper_once_while_the_recorder_gathers(keeper: Keeper):
    now = monotonic()
    for seconds, is_left in [(0.0, False), (0.01, True), (0.02, True), (GATHER_SECONDS + 0.01, False)]:
        keeper.clock = lambda at=now + seconds: at
        keeper.waker.wake()
        keeper._wait(0.0)
        assert bool(readable([keeper.waker.fileno()], 0.0)) == is_left
