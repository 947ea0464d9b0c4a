"""Workers: heartbeats by the server's time, dead ones that stay visible for a while, and quiet ones."""

import json
import os

import pytest

from queueing.broker.keys import Keys
from queueing.client import QueueClient
from queueing.conf import Config
from queueing.monitoring import workers
from queueing.monitoring.workers import (
    ALIVE_SECONDS,
    Worker,
    forget_worker,
    quiet_worker,
    read_workers,
    registration,
    resume_worker,
)
from queueing.worker.heartbeat import BEAT_SECONDS, Birth, Heartbeat
from queueing.worker.processes import ChildProcess
from queueing.worker.shared_memory import SharedMemory

KEYS = Keys("rsmq")


def beat(client: QueueClient, name: str = "w", token: str = "t", **record) -> bool:
    """One heartbeat. Returns whether the worker is to be quiet."""
    return workers.beat(client.session, name, json.dumps({"token": token, **record}), token).is_quiet


def grow_old(client: QueueClient, name: str, seconds: float) -> None:
    """The last heartbeat of a worker was so long ago."""
    ms, _, record = client.redis.hget(KEYS.workers(), name).partition(b" ")
    client.redis.hset(KEYS.workers(), name, b"%d %b" % (int(ms) - seconds * 1000, record))


def only(client: QueueClient) -> Worker:
    [worker] = read_workers(client.session)
    return worker


def test_a_heartbeat_is_stamped_by_the_servers_clock(any_client):
    beat(any_client, uptime_ms=5000, host="h", pid=7, version="1", queues=["a"], processes=2, threads=3)
    worker = only(any_client)
    assert (worker.name, worker.host, worker.pid, worker.version, worker.queues) == ("w", "h", 7, "1", ("a",))
    assert worker.capacity == 6
    assert worker.last_beat_ms - worker.started_ms == 5000
    assert worker.age_seconds < 60
    assert worker.is_alive
    assert worker.state == "idle"


def test_a_dead_worker_stays_visible_for_an_hour_and_is_then_swept_by_any_beat(any_client):
    beat(any_client, "dead")
    beat(any_client, "long-dead")
    quiet_worker(any_client.session, "long-dead")
    grow_old(any_client, "dead", ALIVE_SECONDS + 1)
    grow_old(any_client, "long-dead", 3601)
    any_client.redis.delete(KEYS.sampled())
    beat(any_client, "alive")
    states = {worker.name: worker.state for worker in read_workers(any_client.session)}
    assert states == {"alive": "idle", "dead": "stale"}
    assert not any_client.redis.exists(KEYS.quiet_workers())


def test_a_worker_that_leaves_is_removed_with_its_orders(any_client):
    beat(any_client)
    quiet_worker(any_client.session, "w")
    forget_worker(any_client.session, "w")
    assert read_workers(any_client.session) == []
    assert not any_client.redis.exists(KEYS.workers(), KEYS.quiet_workers())


def test_a_worker_learns_with_its_next_heartbeat_that_it_is_to_be_quiet(any_client):
    assert not beat(any_client)
    assert quiet_worker(any_client.session, "w")
    assert (only(any_client).is_quiet, only(any_client).is_quiet_wanted) == (False, True)
    assert beat(any_client)
    assert beat(any_client, quiet=True)
    assert only(any_client).state == "quiet"
    assert resume_worker(any_client.session, "w")
    assert not beat(any_client, quiet=True)
    assert not only(any_client).is_quiet_wanted


def test_an_absent_worker_gets_no_order(any_client):
    assert not quiet_worker(any_client.session, "w")
    assert not resume_worker(any_client.session, "w")
    assert not any_client.redis.exists(KEYS.quiet_workers())


def test_another_worker_of_the_same_name_gets_no_order(any_client):
    beat(any_client)
    quiet_worker(any_client.session, "w")
    assert not beat(any_client, token="another life")
    assert not any_client.redis.exists(KEYS.quiet_workers())
    assert not beat(any_client, token="t")


def test_two_workers_of_one_name_are_listed_apart_and_get_the_same_order(any_client):
    keys = [registration("w", token) for token in ("first0", "second")]
    for key in keys:
        workers.beat(any_client.session, key, json.dumps({"token": key[2:]}), key[2:])
    assert [worker.name for worker in read_workers(any_client.session)] == ["w#first0", "w#second"]
    assert quiet_worker(any_client.session, "w#second")
    assert [worker.is_quiet_wanted for worker in read_workers(any_client.session)] == [False, True]
    assert quiet_worker(any_client.session, "w")
    assert [worker.is_quiet_wanted for worker in read_workers(any_client.session)] == [True, True]
    forget_worker(any_client.session, keys[0])
    assert [worker.name for worker in read_workers(any_client.session)] == ["w"]
    assert resume_worker(any_client.session, "w")
    assert not only(any_client).is_quiet_wanted


def test_a_record_cannot_take_the_name_of_another_worker(any_client):
    beat(any_client, "w")
    workers.beat(any_client.session, "other", json.dumps({"token": "", "name": "w"}), "")
    assert [worker.name for worker in read_workers(any_client.session)] == ["other", "w"]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"5",
        b"x {}",
        b"1790000000000 []",
        b'1790000000000 {"pid":"x","threads":1e999,"processes":true,"queues":[1,"a"],"children":[3,{}]}',
        b"1790000000000 \xff\xfe",
        b"1790000000000 " + b"[" * 100_000,
        b'1790000000000 {"children":[{"name":5,"running":{"id":1}},{"running":[{"id":7},null]}]}',
    ],
)
def test_a_record_that_another_program_wrote_hides_no_worker(any_client, stored):
    beat(any_client, "w")
    any_client.redis.hset(KEYS.workers(), "odd\n\x1b[31m", stored)
    assert sorted(worker.name for worker in read_workers(any_client.session)) == ["odd\n\x1b[31m", "w"]
    quiet_worker(any_client.session, "odd\n\x1b[31m")
    any_client.redis.delete(KEYS.sampled())
    beat(any_client, "w")
    assert only(any_client).name == "w", "what was not heard of for long is swept, whatever it is"


@pytest.fixture
def liveness(any_client: QueueClient) -> Heartbeat:
    """The heartbeat of a worker with one child, which is this process."""
    queues = ("mail", "post")
    return Heartbeat(
        any_client, Config(queues=queues, WORKER_NAME="w", THREADS=2), memory=SharedMemory(1, 2, queues),
        birth=Birth(), children={}, on_reply=lambda heard: None,
    )  # fmt: skip


def child_of(liveness: Heartbeat) -> ChildProcess:
    import psutil

    return ChildProcess("w.0-abc", psutil.Process(os.getpid()), liveness.memory.slots[0])


def test_a_worker_reports_its_running_jobs_and_its_memory(any_client, liveness, hand):
    any_client.send_message("work", "x")
    [delivery] = hand().claim().deliveries
    delivery = type(delivery)("post", delivery.message, 0, 0, 0)
    liveness.memory.slots[0].marks[1].start(delivery, 1_790_000_000_000.5)
    liveness.children = {"w.0-abc": child_of(liveness)}
    liveness.step(liveness.due_at)
    liveness.step(liveness.due_at)
    worker = only(any_client)
    assert (worker.queues, worker.processes, worker.threads) == (("mail", "post"), 1, 2)
    assert (worker.busy, worker.capacity, worker.state) == (1, 2, "busy")
    [child] = worker.children
    assert (child.name, child.pid) == ("w.0-abc", os.getpid())
    [running] = child.running
    assert (running.id, running.queue) == (delivery.message.id, "post")
    assert abs(running.started_ms - 1_790_000_000_000.5) <= 0.5
    assert 1_000_000 < child.memory_bytes <= worker.memory_bytes
    assert 0 < worker.round_trip_ms < 5000
    assert worker.pid == os.getpid()


def test_a_heartbeat_is_written_when_it_is_due(any_client, liveness):
    replies = []
    liveness.clock, liveness.on_reply = lambda: 100.0, replies.append
    assert liveness.step(100.0) == BEAT_SECONDS
    assert liveness.step(100.0 + BEAT_SECONDS - 1) == 1
    assert len(replies) == 1
    liveness.due_at = 101.0
    liveness.step(101.0)
    assert len(replies) == 2
    liveness.leave()
    assert read_workers(any_client.session) == []


def test_quiet_reaches_the_children_and_ends_again(any_client, liveness):
    slot = liveness.memory.slots[0]
    liveness.step(liveness.due_at)
    assert not slot.is_quiet
    quiet_worker(any_client.session, "w")
    liveness.step(liveness.due_at)
    assert slot.is_quiet
    slot.clear()
    assert slot.is_quiet, "a new child is told, too"
    resume_worker(any_client.session, "w")
    liveness.step(liveness.due_at)
    assert not slot.is_quiet
