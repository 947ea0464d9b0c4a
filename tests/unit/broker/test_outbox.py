"""Entries of the outbox that another program wrote are passed over and counted; those behind are recorded."""

import itertools
import json
import zlib
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Any

import pytest

from queueing.broker import outbox
from queueing.broker.outcomes import ENDS, Outcome, State, pack, parts, unpack
from queueing.client import QueueClient, sweep
from queueing.conf import Config
from queueing.exceptions import QueueError
from queueing.history import lookup
from queueing.models import Job
from queueing.worker.recorder import Recorder
from tests.unit.conftest import ended

pytestmark = pytest.mark.django_db

ID = "u" * 32
ROW = [ID, 1, "done", "shop.handle", 1e12, 1e12, 1, 0, "body"]
LONG_ROW = [*ROW, "error", "traceback", "5", "ValueError", True, True, 1e12]
ENDING = [ID, 1, "dead", 1, 1, 0]
DEEP = "[" * 100_000


def packed(rows: Any, *, queue: Any = "work", worker: Any = "w", refused: str = "[]") -> dict[str, Any]:
    content = json.dumps({"queue": queue, "worker": worker, "rows": rows}).encode()
    return raw(zlib.compress(content), refused=refused)


def raw(content: bytes, *, refused: str = "[]") -> dict[str, Any]:
    return {"count": 1, "bytes": 1, "ms": 1, "packed": content, "refused": refused}


def with_value(row: list, index: int, value: Any) -> dict[str, Any]:
    return packed([[*row[:index], value, *row[index + 1 :]]])


def ended_by_script(content: Any, **more: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"count": 1, "bytes": 1, "ms": 1, "ended": text, "body": "x", **more}


def endings(*found: Any, lane: Any = "w work", queue: Any = "work", reason: Any = "r") -> dict[str, Any]:
    return {"lane": lane, "queue": queue, "reason": reason, "endings": list(found)}


@cache
def unreadable(name: str) -> dict[str, Any]:
    """One of ``UNREADABLE``. The large bomb is made for its tests, not whenever tests are collected."""
    return raw(zlib.compress(b" " * 200_000_000, 9)) if name == "a bomb" else UNREADABLE[name]


#: None of these has an outcome that can be recorded.
UNREADABLE: dict[str, dict[str, Any]] = {
    "nothing": {"a": "b"},
    "no zlib": raw(b"x"),
    "half of a zlib": raw(zlib.compress(b"{}" * 100)[:-4]),
    "a bomb": {},  # see unreadable()
    "no JSON": raw(zlib.compress(b"{")),
    "deep JSON": raw(zlib.compress(DEEP.encode())),
    "deep rows": raw(zlib.compress(b'{"rows":' + DEEP.encode())),
    "a list": raw(zlib.compress(b"[]")),
    "NaN": raw(zlib.compress(b'{"queue":"work","rows":[["u",1,"done","h",NaN,1,1,0,"b"]]}')),
    **{f"row is {row!r}": packed([row]) for row in (None, 5, "x", {}, [], [1, 2], ROW[:8], [*LONG_ROW, 1])},
    **{f"queue is {value!r}"[:30]: packed([ROW], queue=value) for value in (None, 5, {}, "", "q" * 5000)},
    **{f"id is {value!r}"[:30]: with_value(ROW, 0, value) for value in (None, {}, [], 5)},
    **{f"rc is {value!r}"[:30]: with_value(ROW, 1, value) for value in (None, {}, "x", -1, True)},
    **{f"event is {value!r}"[:30]: with_value(ROW, 2, value) for value in (None, {}, 5, "x", "<b>", "ready")},
    **{f"start is {value!r}"[:30]: with_value(ROW, 4, value) for value in ("x", {}, 1e308, 10**400)},
    **{f"finish is {value!r}"[:30]: with_value(ROW, 5, value) for value in (None, "x", [], 1e308)},
    **{f"attempts is {value!r}"[:30]: with_value(ROW, 6, value) for value in (None, "x", {}, -1)},
    **{f"text {index} is {value!r}": with_value(LONG_ROW, index, value)
       for index in (3, 8, 9, 10, 11, 12) for value in (None, 5, {}, [])},
    **{f"due is {value!r}"[:30]: with_value(LONG_ROW, 15, value) for value in (None, "x", 1e308)},
    **{f"refused {text[:10]!r}": packed([ROW], refused=text)
       for text in (DEEP, "5", '["a"]', '[{},"gone"]', '["a","ready"]', "", "{")},
    "ended deep": ended_by_script(DEEP),
    "ended a list": ended_by_script([]),
    "ended without bodies": ended_by_script(endings(ENDING, ENDING)),
    "ended endings 5": ended_by_script({**endings(), "endings": 5}),
    **{f"ending is {value!r}": ended_by_script(endings(value)) for value in (None, 5, [], [ID], {})},
    **{f"ending {index} is {value!r}":
       ended_by_script(endings([*ENDING[:index], value, *ENDING[index + 1 :]]))
       for index in range(5) for value in (None, {}, [], True)},
    "ended queue": ended_by_script(endings(ENDING, queue=[])),
}  # fmt: skip
#: These are odd and can be recorded.
ODD: dict[str, dict[str, Any]] = {
    "bytes of many digits": {**packed([ROW]), "bytes": "9" * 5000},
    "bytes of nobody": {**packed([ROW]), "bytes": "x", "count": "NaN", "ms": "x"},
    "a receipt of many digits": with_value(ROW, 1, 10**400),
    "NUL and half characters": packed([["v\x00" * 16, *ROW[1:8], "\ud800\x00"]]),
    "long names": packed([["i" * 5000, 1, "done", "h" * 5000, *ROW[4:]]], worker="w" * 5000),
    "no lane": ended_by_script(endings(ENDING, lane=5, reason={})),
    "no time": ended_by_script(endings(ENDING), ms="nan"),
    "an infinite time": ended_by_script(endings(ENDING), ms="inf"),
    "a start that is none": ended_by_script(endings([*ENDING[:5], "x"])),
    "ids of tasks that are none": {
        **{"count": 1, "bytes": 1, "ms": 1, "tasks": "a b \x00"}, "packed": packed([ROW])["packed"],
        "refused": "{}",
    },
}  # fmt: skip


@pytest.fixture
def any_client(client: QueueClient) -> QueueClient:
    """The real Redis alone."""
    return client


@pytest.fixture
def recorder(client, hand) -> Recorder:
    """On a Redis in whose outbox nothing waits; the queue ``work`` exists."""
    hand()
    return Recorder(client, Config(), name="one")


@pytest.fixture
def settle(client, hand) -> Callable[[], str]:
    """Lets a message be done: its id."""
    children = itertools.count()

    def settled() -> str:
        id = client.send_message("work", "healthy")
        child = hand(f"child-{next(children)}")
        [delivery] = child.claim().deliveries
        child.settle(ended(delivery, "done", attempts=1))
        return id

    return settled


class TestEntries:
    @pytest.mark.parametrize("name", UNREADABLE)
    def test_one_that_cannot_be_read_is_passed_over_counted_and_reported(
        self, client, recorder, settle, name, caplog
    ):
        client.redis.xadd(client.keys.outbox(), unreadable(name))
        id = settle()
        assert outbox.newest(client.session, count=20)[-1].id == id
        assert lookup.recent("work", client=client)[0].state == "done"
        recorder.step(monotonic())
        assert list(Job.objects.values_list("message_id", flat=True)) == [id]
        stats = outbox.stats(client.session)
        assert (stats.entries, stats.size_bytes, stats.lost) == (0, 0, 1)
        assert "cannot be read and is passed over" in caplog.text

    @pytest.mark.parametrize("name", ODD)
    def test_one_that_is_odd_is_recorded(self, client, recorder, settle, name):
        client.redis.xadd(client.keys.outbox(), ODD[name])
        id = settle()
        lookup.recent("work", client=client)
        recorder.step(monotonic())
        assert Job.objects.count() == 2
        assert Job.objects.get(message_id=id).state == "done"
        stats = outbox.stats(client.session)
        assert (stats.entries, stats.size_bytes, stats.lost) == (0, 0, 0)

    def test_one_that_inflates_without_end_takes_no_memory(self, client, recorder):
        client.redis.xadd(client.keys.outbox(), unreadable("a bomb"))
        tracemalloc = pytest.importorskip("tracemalloc")
        tracemalloc.start()
        outbox.newest(client.session, count=20)
        _, peak_of_a_page = tracemalloc.get_traced_memory()
        recorder.step(monotonic())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_of_a_page < 20_000_000
        assert peak < 150_000_000

    def test_an_entry_of_an_invalid_format_does_not_wait_for_a_newer_release(self, client, recorder):
        client.redis.xadd(client.keys.outbox(), {"a": "b", "format": "9" * 5000})
        client.redis.xadd(client.keys.outbox(), {"a": "b", "format": "1e999"})
        recorder.step(monotonic())
        assert outbox.stats(client.session).entries == 0

    def test_one_with_the_last_number_of_all_leaves_room_for_others(self, client, recorder, settle):
        first = settle()
        client.redis.xadd(client.keys.outbox(), {"a": "b"}, id=f"{2**64 - 1}-{2**64 - 1}")
        second = settle()
        recorder.step(monotonic())
        third = settle()
        recorder.step(monotonic())
        assert set(Job.objects.values_list("message_id", flat=True)) == {first, second, third}

    def test_those_that_wait_stay_while_redis_refuses_to_add_one(self, client, recorder, settle, hand):
        waiting = settle()
        client.send_message("work", "another")
        child = hand("refused")
        [delivery] = child.claim().deliveries
        client.redis.execute_command("ACL", "SETUSER", "default", "-xadd")
        try:
            reply = child.run(child.lease.settle([ended(delivery, "done", attempts=1)]))
        finally:
            client.redis.execute_command("ACL", "SETUSER", "default", "+xadd")
        assert isinstance(reply, QueueError)
        recorder.step(monotonic())
        assert list(Job.objects.values_list("message_id", flat=True)) == [waiting]
        assert outbox.stats(client.session).lost == 0


@pytest.mark.parametrize("field", ["bytes", "lost", "acknowledged", "recorded"])
@pytest.mark.parametrize(
    "value", ["x", "nan", "1e400", "9" * 30, "-9223372036854775808", "9223372036854775807"]
)
def test_a_spoilt_counter_of_the_outbox_loses_no_outcome(client, recorder, settle, field, value):
    client.redis.hset(client.keys.outbox_stats(), field, value)
    ids = {settle(), settle()}
    outbox.stats(client.session)
    outbox.acknowledge(client.session, 5)
    recorder.step(monotonic())
    assert set(Job.objects.values_list("message_id", flat=True)) == ids
    assert outbox.stats(client.session).size_bytes == 0


@pytest.mark.parametrize("content", ["someone else", ["a", "list"]])
def test_a_recorder_without_a_lease_keeps_nobody_away(client, recorder, settle, content):
    if isinstance(content, list):
        client.redis.rpush(client.keys.recorder(), *content)
        sweep.mend_keys(client.session)
    else:
        client.redis.set(client.keys.recorder(), content)
    id = settle()
    recorder.step(monotonic())
    assert Job.objects.get().message_id == id


def test_a_batch_is_cut_into_entries_that_can_be_read_again():
    outcomes = [
        Outcome("q", f"{n:032}", 1, State.DONE, "w", body="b" * 10, result="\udcff" * 1_000_000)
        for n in range(20)
    ]
    found = [
        outcome
        for part in parts(outcomes)
        for outcome in unpack([b"packed", pack(part, with_bodies=True), b"refused", b"{}"])
    ]
    assert [(outcome.id, len(outcome.result)) for outcome in found] == [(o.id, 1_000_000) for o in outcomes]


def test_a_usual_batch_is_one_entry():
    outcomes = [Outcome("q", f"{n:032}", 1, State.DONE, "w", body="b" * 1000) for n in range(1000)]
    assert [len(part) for part in parts(outcomes)] == [1000]


def test_every_word_for_an_end_travels():
    told = [Outcome("q", ID, 1, event, "w") for event in ENDS.values()]
    found = unpack([b"packed", pack(told, with_bodies=True), b"refused", b"[]"])
    assert [outcome.event for outcome in found] == list(ENDS)
