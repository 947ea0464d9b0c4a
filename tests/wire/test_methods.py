"""The same calls by Node and by Python leave the same keys and give the same answers."""

from typing import Any

import pytest
import redis

from tests.servers.waiting import eventually

from .bridge import NodeSide, PythonSide, RsmqError, Side

NS = "rsmq"


def everything(connection: redis.Redis, queue: str) -> dict[str, Any]:
    """RSMQ's keys of one queue; ids become their rank, times their distance from the first."""
    attributes = {k.decode(): v.decode() for k, v in connection.hgetall(f"{NS}:{queue}:Q").items()}
    schedule = connection.zrange(f"{NS}:{queue}", 0, -1, withscores=True)
    ids = sorted({key.split(":")[0] for key in attributes if len(key.split(":")[0]) == 32})
    ranks = {message_id: f"id{rank}" for rank, message_id in enumerate(ids)}

    def named(key: str) -> str:
        head, *rest = key.split(":")
        return ":".join([ranks.get(head, head), *rest])

    def plain(key: str, value: str) -> str:
        return "time" if key in ("created", "modified") or key.endswith(":fr") else value

    return {
        "hash": {named(key): plain(key, value) for key, value in attributes.items()},
        "order": [named(member.decode()) for member, _ in schedule],
        "whole ms": [score == int(score) for _, score in schedule],
        "due after sending, s": [
            round((score - int(member.decode()[:10], 36) // 1000) / 1000) for member, score in schedule
        ],
        "types": [connection.type(key) for key in (f"{NS}:QUEUES", f"{NS}:{queue}", f"{NS}:{queue}:Q")],
        "ttl": [connection.ttl(f"{NS}:{queue}:Q"), connection.ttl(f"{NS}:QUEUES")],
        "listed": connection.sismember(f"{NS}:QUEUES", queue),
    }


def a_sequence(side: Side, connection: redis.Redis) -> list[Any]:
    """All ten methods; what the keys looked like after each step, and what came back."""
    seen: list[Any] = []

    def step(method: str, **options: Any) -> Any:
        result = side.call(method, qname="q", **options)
        seen.append((method, everything(connection, "q")))
        return result

    seen.append(step("createQueue", vt=20, delay=0, maxsize=2048))
    ids = [step("sendMessage", message=f"body {number} é 😀") for number in range(4)]
    ids.append(step("sendMessage", message="", delay=60))
    assert len({*ids}) == 5
    received = step("receiveMessage")
    assert received["id"] == ids[0]
    seen.append({k: received[k] for k in ("message", "rc")})
    seen.append(step("changeMessageVisibility", id=ids[0], vt=0))
    received = step("receiveMessage", vt=90)
    assert received["id"] == ids[1], "what is due again comes behind what was sent before"
    seen.append({k: received[k] for k in ("message", "rc")})
    popped = step("popMessage")
    assert popped["id"] == ids[2]
    seen.append({k: popped[k] for k in ("message", "rc")})
    seen.append(step("deleteMessage", id=ids[3]))
    seen.append(step("deleteMessage", id=ids[3]))
    seen.append(step("changeMessageVisibility", id=ids[3], vt=5))
    changed = step("setQueueAttributes", vt=7, maxsize=-1)
    seen.append({k: v for k, v in changed.items() if k not in ("created", "modified", "hiddenmsgs")})
    seen.append(sorted(side.call("listQueues")))
    seen.append(step("deleteQueue"))
    seen.append(connection.keys(f"{NS}:q*"))
    return seen


def test_the_same_sequence_leaves_the_same_keys(
    node: NodeSide, python: PythonSide, redis_connection: redis.Redis
):
    by_node = a_sequence(node, redis_connection)
    redis_connection.flushdb()
    by_python = a_sequence(python, redis_connection)
    for from_node, from_python in zip(by_node, by_python, strict=True):
        assert from_python == from_node


def test_attributes_read_the_same_on_both_sides(node: NodeSide, python: PythonSide):
    node.call("createQueue", qname="q", vt=0)
    for number in range(5):
        node.call("sendMessage", qname="q", message=str(number), delay=60 * (number % 2))
    python.call("receiveMessage", qname="q", vt=60)
    python.call("popMessage", qname="q")

    def equal() -> bool:  # rsmq counts a message just sent as hidden until the second is over
        return node.call("getQueueAttributes", qname="q") == python.call("getQueueAttributes", qname="q")

    eventually(equal, within_seconds=3, what="equal attributes")
    figures = python.call("getQueueAttributes", qname="q")
    assert (figures["msgs"], figures["hiddenmsgs"], figures["totalrecv"]) == (4, 3, 2)


def test_receive_counts_and_first_receive_agree_in_turns(node: NodeSide, python: PythonSide):
    node.call("createQueue", qname="q")
    message_id = python.call("sendMessage", qname="q", message="in turns")
    turns = [side.call("receiveMessage", qname="q", vt=0) for side in (node, python) * 3]
    assert [turn["rc"] for turn in turns] == [1, 2, 3, 4, 5, 6]
    assert {turn["id"] for turn in turns} == {message_id}
    assert len({turn["fr"] for turn in turns}) == 1
    assert len({turn["sent"] for turn in turns}) == 1
    assert python.call("deleteMessage", qname="q", id=message_id) == 1
    assert node.call("receiveMessage", qname="q") == {}


def test_each_deletes_what_the_other_holds(node: NodeSide, python: PythonSide, redis_connection: redis.Redis):
    python.call("createQueue", qname="q")
    first = node.call("sendMessage", qname="q", message="a")
    second = python.call("sendMessage", qname="q", message="b")
    assert python.call("receiveMessage", qname="q")["id"] == first
    assert node.call("receiveMessage", qname="q")["id"] == second
    assert node.call("deleteMessage", qname="q", id=first) == 1
    assert python.call("deleteMessage", qname="q", id=second) == 1
    assert redis_connection.hlen(f"{NS}:q:Q") == 7  # five attributes and two counters
    assert redis_connection.exists(f"{NS}:q") == 0


GOOD_ID = "f1tt8ybszqAbCdEfGhIjKlMnOpQrStUv"
BAD_VALUES: list[tuple[str, dict[str, Any]]] = [
    ("createQueue", {"qname": ""}),
    ("createQueue", {"qname": None}),
    ("createQueue", {"qname": "a b"}),
    ("createQueue", {"qname": "a:b"}),
    ("createQueue", {"qname": "name\n"}),
    ("createQueue", {"qname": "é"}),
    ("createQueue", {"qname": "n" * 161}),
    ("createQueue", {"qname": "there"}),
    ("createQueue", {"qname": "new", "vt": -1}),
    ("createQueue", {"qname": "new", "vt": 10_000_000}),
    ("createQueue", {"qname": "new", "vt": "abc"}),
    ("createQueue", {"qname": "new", "delay": -1}),
    ("createQueue", {"qname": "new", "delay": "-3x"}),
    ("createQueue", {"qname": "new", "maxsize": 1023}),
    ("createQueue", {"qname": "new", "maxsize": 65_537}),
    ("createQueue", {"qname": "new", "maxsize": -2}),
    ("createQueue", {"qname": "", "vt": -1}),
    ("createQueue", {"qname": "new", "vt": -1, "delay": -1, "maxsize": 1}),
    ("deleteQueue", {"qname": "absent"}),
    ("deleteQueue", {"qname": "a b"}),
    ("getQueueAttributes", {"qname": "absent"}),
    ("getQueueAttributes", {"qname": None}),
    ("setQueueAttributes", {"qname": "there"}),
    ("setQueueAttributes", {"qname": ""}),
    ("setQueueAttributes", {"qname": "", "vt": 1}),
    ("setQueueAttributes", {"qname": "absent", "vt": 1}),
    ("setQueueAttributes", {"qname": "absent", "vt": -1}),
    ("setQueueAttributes", {"qname": "there", "delay": -1}),
    ("setQueueAttributes", {"qname": "there", "vt": -1, "delay": -1, "maxsize": 1}),
    ("setQueueAttributes", {"qname": "there", "maxsize": 70_000}),
    ("sendMessage", {"qname": "absent", "message": "x"}),
    ("sendMessage", {"qname": "absent", "message": None, "delay": -1}),
    ("sendMessage", {"qname": "there", "message": None, "delay": -1}),
    ("sendMessage", {"qname": "there", "message": None}),
    ("sendMessage", {"qname": "there", "message": 5}),
    ("sendMessage", {"qname": "there", "message": {"a": 1}}),
    ("sendMessage", {"qname": "there", "message": "x" * 1025}),
    ("sendMessage", {"qname": "there", "message": "😀" * 513}),
    ("sendMessage", {"qname": "there", "message": "x" * 1025, "delay": 10_000_000}),
    ("receiveMessage", {"qname": "absent", "vt": -1}),
    ("receiveMessage", {"qname": "there", "vt": -1}),
    ("receiveMessage", {"qname": "a.b", "vt": -1}),
    ("popMessage", {"qname": "absent"}),
    ("popMessage", {"qname": "a.b"}),
    ("deleteMessage", {"qname": "there", "id": ""}),
    ("deleteMessage", {"qname": "there", "id": None}),
    ("deleteMessage", {"qname": "there", "id": "short"}),
    ("deleteMessage", {"qname": "a.b", "id": "short"}),
    ("deleteMessage", {"qname": "there", "id": GOOD_ID + "\n"}),
    ("changeMessageVisibility", {"qname": "absent", "id": GOOD_ID, "vt": 1}),
    ("changeMessageVisibility", {"qname": "there", "id": GOOD_ID, "vt": None}),
    ("changeMessageVisibility", {"qname": "there", "id": GOOD_ID, "vt": -1}),
    ("changeMessageVisibility", {"qname": "there", "id": "short", "vt": -1}),
    ("changeMessageVisibility", {"qname": "absent", "id": GOOD_ID, "vt": -1}),
]
GOOD_VALUES: list[tuple[str, dict[str, Any]]] = [
    ("createQueue", {"qname": "new", "vt": "12abc", "delay": 1.9, "maxsize": "2048.7"}),
    ("createQueue", {"qname": "new", "vt": None, "delay": None, "maxsize": -1}),
    ("createQueue", {"qname": 123}),
    ("createQueue", {"qname": "n" * 160, "vt": 9_999_999, "delay": " 7 "}),
    ("setQueueAttributes", {"qname": "there", "vt": "7 seconds", "maxsize": None}),
    ("deleteMessage", {"qname": "absent", "id": GOOD_ID}),
    ("changeMessageVisibility", {"qname": "there", "id": GOOD_ID, "vt": "3"}),
    ("receiveMessage", {"qname": "there", "vt": "3.9"}),
]


def outcome(side: Side, method: str, options: dict[str, Any]) -> Any:
    try:
        return side.call(method, **options)
    except RsmqError as error:
        return error.args


@pytest.mark.parametrize("kind", ["bad", "good"])
def test_the_same_values_are_refused_with_the_same_name_and_text(
    node: NodeSide, python: PythonSide, redis_connection: redis.Redis, kind: str
):
    differing = []
    for method, options in BAD_VALUES if kind == "bad" else GOOD_VALUES:
        results = []
        for side in (node, python):
            redis_connection.flushdb()
            node.call("createQueue", qname="there", maxsize=1024)
            found = outcome(side, method, dict(options))
            if isinstance(found, dict):
                found = {k: v for k, v in found.items() if k not in ("created", "modified")}
            queue = str(options["qname"])
            results.append((found, everything(redis_connection, queue)["hash"]))
        assert isinstance(results[0][0], tuple) == (kind == "bad"), (method, options, results[0])
        if results[0] != results[1]:
            differing.append((method, options, *results))
    assert not differing
