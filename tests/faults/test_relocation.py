"""A queue moves to another partition while it is used, and the move is killed again and again."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.test import override_settings

import queueing
from queueing.client import QueueClient
from queueing.client.default import use_client
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import MANAGE, WorkerProcess, environment

BACKLOG = 3000
#: The move is killed when the old partition has at most this number of messages.
KILLED_AT = (2500, 1700, 900)


@pytest.fixture(autouse=True)
def _invariants_of_one_server_do_not_hold(invariants: Invariants) -> None:
    invariants.do_not_hold("the messages are in two servers, and this test counts them")


@pytest.fixture
def servers(own_redis: Callable[..., RedisServer]) -> Iterator[tuple[RedisServer, RedisServer]]:
    old, new = own_redis(), own_redis()
    places = {"PARTITIONS": {"new": {"URL": new.url}}, "PLACES": {"brisk": "new"}}
    with override_settings(QUEUEING={"URL": old.url, **places}):
        use_client(None)
        yield old, new
    use_client(None)


def _has_moved(program: Program, source: QueueClient, left: int) -> bool:
    return not program.is_running or source.get_queue_attributes("brisk").msgs <= left


def test_a_queue_moves_while_it_is_used_and_no_kill_loses_or_repeats_a_message(
    servers: tuple[RedisServer, RedisServer],
    worker: Callable[..., WorkerProcess],
    database,
    ledger: Ledger,
    diary: Diary,
):
    old, new = servers
    partitions = json.dumps({"new": {"URL": new.url}})
    before = {"TEST_QUEUES": "brisk", "TEST_PARTITIONS": partitions, "TEST_PLACES": "{}"}
    after = {**before, "TEST_PLACES": json.dumps({"brisk": "new"})}
    source, client = QueueClient(old.connect()), queueing.get_client()
    source.create_queue("brisk")
    client.create_queue("brisk")
    ids = source.send_messages("brisk", ["text"] * BACKLOG)
    of_old = worker("brisk", "--name", "old", redis_url=old.url, env=before)
    of_old.start()
    eventually(lambda: ledger.count("end") > 10, of=of_old)
    of_new = worker("brisk", "--name", "new", redis_url=old.url, env=after)
    of_new.start()

    def move() -> Program:
        env = {**environment(old.url, database), **after}
        return Program([sys.executable, MANAGE, "queues", "relocate", "brisk"], env=env).start()

    killed = 0
    for left in KILLED_AT:
        program = move()
        eventually(partial(_has_moved, program, source, left), every_seconds=0.001)
        killed += program.is_running
        program.kill_group()
        # A sender that still has the old settings, and one that has the new ones.
        ids += [source.send_message("brisk", "late"), client.send_message("brisk", "text")]
    program = move()
    assert program.wait() == 0, program.tail()
    eventually(lambda: set(ids) <= diary.ids("done"), of=of_new)
    assert killed, "no kill has met a move"
    ledger.assert_each_ran_once(ids)
    assert source.get_queue_attributes("brisk").msgs == 0
