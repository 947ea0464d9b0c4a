"""Queues written by other clients of the same layout are read without a crash."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from queueing.client import QueueClient, sweep
from queueing.exceptions import InvalidFormat, QueueError
from queueing.messages import Draft, Message, Timing
from queueing.monitoring import store as monitoring_store
from queueing.monitoring import workers
from queueing.monitoring.store import read_metrics, sample_queues
from queueing.monitoring.workers import beat, forget_worker, quiet_worker, read_workers, resume_worker
from queueing.scheduling import store
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

IDS = [f"hofomibyd{digit}{'C6Bui6YyW5dCn6wqEu1fvv'}" for digit in "wxyz"]
SENT_MS = int(IDS[0][:10], 36) // 1000

#: The data that each program writes: attributes of a queue, and its messages as (body, other fields, ms of
#: delay).
LAYOUTS: dict[str, tuple[dict[str, Any], list[tuple[bytes, dict[str, Any], float]]]] = {
    # Version 0.6.1 stores its options unrounded, and times by the client's clock.
    "PyRSMQ": (
        {"vt": 30.5, "delay": 0.25, "maxsize": 65565, "created": 1795454967, "modified": 1795454967},
        [(b'{"a": 1}', {"rc": 1, "fr": SENT_MS}, 500), (b"\xff\xfe", {}, 250), (b"text", {}, 1500)],
    ),
    "PyRSMQ, numbers as texts": (
        {"vt": "30.0", "delay": "0.0", "maxsize": "65565.0", "created": "1.8e9", "modified": 1795454967.5},
        [(b"text", {}, 0)],
    ),
    # Versions from 14 on store milliseconds where RSMQ stores seconds.
    "rsmq-async": (
        {"vt": 30000, "delay": 500, "maxsize": 65536, "created": 1795454967, "modified": 1795454967},
        [(b"text", {}, 500), (b"\x00\x80", {"rc": 3, "fr": SENT_MS}, 0)],
    ),
    # With its feature break-js-comp even the scores are in µs, which means due in the year 58,000.
    "rsmq-async in microseconds": (
        {"vt": 30000, "delay": 0, "maxsize": -1, "created": 1795454967, "modified": 1795454967},
        [(b"text", {}, SENT_MS * 999.0)],
    ),
    "rsmq 0.7": (
        {"vt": 30, "delay": 0, "maxsize": -1, "created": 1795454967, "modified": 1795454967},
        [(b"text", {}, 0), ("é".encode(), {"rc": 2, "fr": SENT_MS}, 0)],
    ),
    "nobody in particular": (
        {"vt": "1e999", "delay": "soon", "maxsize": "", "created": "", "modified": "-"},
        [(b"text", {"fr": "x"}, 0.5), (b"", {"rc": 1, "fr": "1.5"}, 0)],
    ),
}


def leave(client: QueueClient, queue: str, layout: str) -> list[str]:
    """Write a layout as its program does; returns the ids."""
    attributes, messages = LAYOUTS[layout]
    client.redis.sadd("rsmq:QUEUES", queue)
    client.redis.hset(f"rsmq:{queue}:Q", mapping=attributes)
    for message_id, (body, fields, delay_ms) in zip(IDS, messages, strict=False):
        client.redis.hset(f"rsmq:{queue}:Q", message_id, body)
        for name, value in fields.items():
            client.redis.hset(f"rsmq:{queue}:Q", f"{message_id}:{name}", value)
        client.redis.zadd(f"rsmq:{queue}", {message_id: SENT_MS + delay_ms})
    client.redis.hincrby(f"rsmq:{queue}:Q", "totalsent", len(messages))
    return IDS[: len(messages)]


def received(client: QueueClient) -> Message:
    """A receipt as a reader holds it."""
    return Message(IDS[0], "text", 1, SENT_MS, float(SENT_MS))


#: The modules whose functions take a session.
MODULES = (sweep, store, monitoring_store, workers)
#: Every public method of the client and those functions, on a queue that another program has filled.
TIMING = Timing("s", "every 1 s", "", "q", "once")
CALLS: dict[str, Callable[[QueueClient], Any]] = {
    "beat": lambda client: beat(client.session, "worker", "{}", "token"),
    "cancel_message": lambda client: client.cancel_message("q", IDS[0]),
    "cancel_messages": lambda client: client.cancel_messages("q", IDS),
    "stop_message": lambda client: client.stop_message("q", IDS[0]),
    "stop_messages": lambda client: client.stop_messages("q", IDS),
    "change_message_visibility": lambda client: client.change_message_visibility("q", IDS[0], 0),
    "change_visibilities": lambda client: client.change_visibilities("q", [IDS[0], received(client)], 5),
    "count_hit": lambda client: client.count_hit("page", 60),
    "create_queue": lambda client: client.create_queue("another"),
    "dead_letter_queue": lambda client: client.dead_letter_queue("q"),
    "delete_message": lambda client: client.delete_message("q", IDS[0]),
    "delete_messages": lambda client: client.delete_messages("q", [IDS[0], received(client)]),
    "delete_queue": lambda client: client.delete_queue("q"),
    "delete_redrive_policy": lambda client: client.delete_redrive_policy("q"),
    "eviction_policy": lambda client: client.session.eviction_policy(),
    "forget_worker": lambda client: forget_worker(client.session, "worker"),
    "get_queue_attributes": lambda client: client.get_queue_attributes("q"),
    "get_queue_policy": lambda client: client.get_queue_policy("q"),
    "list_queues": lambda client: client.list_queues(),
    "find_queues": lambda client: sweep.find_queues(client.session),
    "figures_of_queue": lambda client: client.figures_of_queue("q"),
    "mend_keys": lambda client: sweep.mend_keys(client.session, "q"),
    "mend_queue": lambda client: sweep.mend_queue(client.session, "q"),
    "move_messages": lambda client: [client.create_queue("to"), client.move_messages("q", "to")],
    "name_schedules": lambda client: store.name_schedules(client.session, [TIMING]),
    "now_ms": lambda client: client.now_ms(),
    "pause_queue": lambda client: client.pause_queue("q"),
    "pause_schedule": lambda client: [
        store.name_schedules(client.session, [TIMING]),
        store.pause_schedule(client.session, "s"),
    ],
    "peek_message": lambda client: client.peek_message("q", IDS[0]),
    "peek_messages": lambda client: client.peek_messages("q"),
    "ping": lambda client: client.ping(),
    "pop_message": lambda client: client.pop_message("q"),
    "progress_of": lambda client: client.progress_of("q", IDS),
    "purge_queue": lambda client: client.purge_queue("q"),
    "queue_figures": lambda client: client.queue_figures(),
    "queue_limits": lambda client: client.queue_limits("q"),
    "quiet_worker": lambda client: quiet_worker(client.session, "worker"),
    "read_metrics": lambda client: read_metrics(client, ["q"], "m", 1, 5, "now"),
    "receive_message": lambda client: client.receive_message("q"),
    "receive_messages": lambda client: client.receive_messages("q", 10),
    "redrive": lambda client: client.redrive("q"),
    "refused_commands": lambda client: client.session.refused_commands(),
    "release_message": lambda client: client.release_message("q", received(client)),
    "report_progress": lambda client: client.report_progress("q", IDS[0], 1, 0.5, "half"),
    "resume_queue": lambda client: client.resume_queue("q"),
    "resume_schedule": lambda client: [
        store.name_schedules(client.session, [TIMING]),
        store.resume_schedule(client.session, "s"),
    ],
    "resume_worker": lambda client: resume_worker(client.session, "worker"),
    "sample_queues": lambda client: sample_queues(client.session, ["q"]),
    "schedules": lambda client: store.schedules(client.session),
    "send_message": lambda client: client.send_message("q", "text", headers={"a": "b"}),
    "send_messages": lambda client: client.send_messages("q", ["text", "another"]),
    "set_queue_attributes": lambda client: client.set_queue_attributes("q", vt=5),
    "set_redrive_policy": lambda client: [
        client.set_redrive_policy("q", 1),
        client.receive_messages("q"),
        client.sweep_queue("q"),
    ],
    "set_retention": lambda client: [client.set_retention("q", 1), client.sweep_queue("q")],
    "sweep_lost_queues": lambda client: sweep.sweep_lost_queues(client.session),
    "spoilt_keys": lambda client: sweep.spoilt_keys(client.session, ["q"]),
    "spoilt_schedules": lambda client: store.spoilt_schedules(client.session),
    "sweep_queue": lambda client: client.sweep_queue("q"),
    "sweep": lambda client: list(sweep.sweep(client.session, "q")),
    "tick": lambda client: store.tick(
        client.session,
        TIMING,
        store.name_schedules(client.session, [TIMING])[1][0],
        client.now_ms(),
        [Draft(body="tick")],
    ),
    "read_workers": lambda client: read_workers(client.session),
}


def test_the_listed_calls_cover_the_whole_client():
    methods = inspect.getmembers(QueueClient, inspect.isfunction)
    functions = [
        (name, function)
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and "session" in inspect.signature(function).parameters
    ]
    public = {name for name, _ in [*methods, *functions] if not name.startswith("_")}
    # These choose a client among those of partitions.
    public -= {"at", "split", "reachable"}
    assert public | {"eviction_policy", "refused_commands", "read_metrics"} == set(CALLS)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", CALLS)
def test_every_method_works_on_a_queue_of_another_client(client: QueueClient, layout: str, method: str):
    leave(client, "q", layout)
    CALLS[method](client)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "rsmq-async in microseconds"])
def test_every_message_of_another_client_is_received_and_deleted(client: QueueClient, layout: str):
    ids = leave(client, "q", layout)
    messages = client.receive_messages("q")
    assert sorted(message.id for message in messages) == ids
    assert client.delete_messages("q", messages) == [1] * len(ids)
    assert client.get_queue_attributes("q").msgs == 0


def test_attributes_of_other_clients_are_read_as_rsmq_reads_them(client: QueueClient):
    leave(client, "q", "PyRSMQ")
    found = client.get_queue_attributes("q")
    assert (found.vt, found.delay, found.maxsize) == (30, 0, 65565)


@pytest.mark.parametrize("name", ["odd.name é", "with space", "QUEUE:", "n" * 300, "", "\n"])
def test_a_queue_name_that_rsmq_would_refuse_is_listed_and_refused_without_a_crash(
    client: QueueClient, name: str
):
    leave(client, name, "PyRSMQ")
    client.create_queue("q")
    assert set(client.list_queues()) == {"q", name}
    assert {figures.name for figures in client.queue_figures()} >= {"q"}
    assert sweep.sweep_lost_queues(client.session) == 0
    for call in (
        client.receive_message,
        client.get_queue_attributes,
        client.delete_queue,
        client.sweep_queue,
    ):
        with pytest.raises(QueueError) as caught:
            call(name)
        assert isinstance(caught.value, InvalidFormat) or not name


def test_a_queue_name_that_is_not_text_is_listed(client: QueueClient):
    client.redis.sadd("rsmq:QUEUES", b"\xff\xfe")
    client.redis.hset(b"rsmq:\xff\xfe:Q", mapping={"vt": 1, "delay": 0, "maxsize": 1024})
    [name] = client.list_queues()
    assert name.encode("utf-8", "surrogateescape") == b"\xff\xfe"
    assert [figures.name for figures in client.queue_figures()] == [name]


def test_a_worker_runs_messages_of_other_clients(
    redis_server: RedisServer, client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    queues = dict(zip(["ledger", "brisk", "slow"], ["PyRSMQ", "rsmq-async", "rsmq 0.7"], strict=True))
    sent = {queue: leave(client, queue, layout) for queue, layout in queues.items()}
    for body_id in sent["slow"]:  # this handler waits for the seconds in its body
        client.redis.hset("rsmq:slow:Q", body_id, "0 seconds")
    with worker(*queues) as process:
        eventually(
            lambda: all(client.get_queue_attributes(queue).msgs == 0 for queue in queues),
            of=process,
        )
    assert ledger.count("end") == sum(map(len, sent.values()))
    assert {figures.dead for figures in client.queue_figures(list(queues))} == {0}
