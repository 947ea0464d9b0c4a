"""The same calls in Node and Python leave the same keys and return the same results."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.support.waiting import eventually

from .bridge import METHODS, NodeSide, PythonSide, Side, outcome
from .keys import About, beside, rsmqs_keys, time_ms

#: A step is RSMQ's method and its options. A number as ``id`` means the id of the n-th sending.
Step = tuple[str, dict[str, Any]]

UNKNOWN_ID = "f1tt8ybszqAbCdEfGhIjKlMnOpQrStUv"
Q = {"qname": "q"}

SEQUENCES: dict[str, list[Step]] = {
    "a life": [
        ("createQueue", Q | {"vt": 20, "delay": 0, "maxsize": 2048}),
        ("sendMessage", Q | {"message": "é 😀"}),
        ("receiveMessage", Q),
        ("deleteMessage", Q | {"id": 0}),
        ("receiveMessage", Q),
        ("getQueueAttributes", Q),
        ("deleteQueue", Q),
        ("listQueues", {}),
    ],
    "defaults": [
        ("listQueues", {}),
        ("createQueue", Q),
        ("getQueueAttributes", Q),
        ("sendMessage", Q | {"message": ""}),
        ("receiveMessage", Q),
        ("popMessage", Q),
        ("setQueueAttributes", Q | {"vt": None, "delay": 5, "maxsize": None}),
        ("sendMessage", Q | {"message": "by the queue's delay", "delay": None}),
        ("receiveMessage", Q | {"vt": None}),
    ],
    "redelivery": [
        ("createQueue", Q),
        *[("sendMessage", Q | {"message": text}) for text in "abc"],
        ("receiveMessage", Q | {"vt": 0}),
        ("receiveMessage", Q | {"vt": 90}),
        ("changeMessageVisibility", Q | {"id": 1, "vt": 0}),
        ("receiveMessage", Q | {"vt": 0}),
        ("receiveMessage", Q | {"vt": 30}),
        ("popMessage", Q),
        ("popMessage", Q),
        ("popMessage", Q),
        ("getQueueAttributes", Q),
    ],
    "never received": [
        ("createQueue", Q),
        *[("sendMessage", Q | {"message": text}) for text in "abcd"],
        ("changeMessageVisibility", Q | {"id": 0, "vt": 60}),
        ("deleteMessage", Q | {"id": 1}),
        ("popMessage", Q),
        ("changeMessageVisibility", Q | {"id": 0, "vt": 0}),
        ("popMessage", Q),
        ("popMessage", Q),
        ("getQueueAttributes", Q),
    ],
    "delays": [
        ("createQueue", Q | {"delay": 60}),
        ("sendMessage", Q | {"message": "the queue's"}),
        ("sendMessage", Q | {"message": "none", "delay": 0}),
        ("sendMessage", Q | {"message": "the longest", "delay": 9_999_999}),
        ("receiveMessage", Q | {"vt": 9_999_999}),
        ("receiveMessage", Q),
        ("setQueueAttributes", Q | {"delay": 0}),
        ("sendMessage", Q | {"message": "the queue's new one"}),
        ("popMessage", Q),
        ("popMessage", Q),
        ("deleteQueue", Q),
    ],
    "sizes": [
        ("createQueue", Q | {"maxsize": 1024}),
        ("sendMessage", Q | {"message": "é" * 1024}),
        ("sendMessage", Q | {"message": "é" * 1025}),
        ("sendMessage", Q | {"message": "😀" * 512}),
        ("sendMessage", Q | {"message": "😀" * 513}),
        ("setQueueAttributes", Q | {"maxsize": -1}),
        ("sendMessage", Q | {"message": "x" * 200_000}),
        ("setQueueAttributes", Q | {"maxsize": 65536}),
        ("sendMessage", Q | {"message": "x" * 65536}),
        ("sendMessage", Q | {"message": "x" * 65537}),
    ],
    "numbers as RSMQ reads them": [
        ("createQueue", Q | {"vt": "12abc", "delay": 1.9, "maxsize": "2048.7"}),
        ("setQueueAttributes", Q | {"vt": " 7", "delay": "0x10"}),
        ("sendMessage", Q | {"message": "x", "delay": "3e5"}),
        ("changeMessageVisibility", Q | {"id": 0, "vt": "00"}),
        ("receiveMessage", Q | {"vt": [40]}),
        ("createQueue", {"qname": 123}),
        ("createQueue", {"qname": True}),
        ("listQueues", {}),
    ],
    "refusals": [
        ("createQueue", Q),
        ("createQueue", Q | {"vt": 5}),
        ("createQueue", Q | {"vt": -1}),
        ("createQueue", {"qname": "a b"}),
        ("setQueueAttributes", Q),
        ("setQueueAttributes", Q | {"vt": 5, "delay": -1}),
        ("sendMessage", Q | {"message": 5}),
        ("sendMessage", Q | {"message": "x", "delay": -1}),
        ("sendMessage", {"qname": "absent", "message": "x"}),
        ("receiveMessage", Q | {"vt": "soon"}),
        ("receiveMessage", {"qname": "absent"}),
        ("popMessage", {"qname": "absent"}),
        ("getQueueAttributes", {"qname": "absent"}),
        ("setQueueAttributes", {"qname": "absent", "vt": 5}),
        ("deleteQueue", {"qname": "absent"}),
        ("deleteMessage", {"qname": "absent", "id": UNKNOWN_ID}),
        ("deleteMessage", Q | {"id": UNKNOWN_ID}),
        ("deleteMessage", Q | {"id": "short"}),
        ("changeMessageVisibility", Q | {"id": UNKNOWN_ID, "vt": 5}),
        ("changeMessageVisibility", {"qname": "absent", "id": UNKNOWN_ID, "vt": 5}),
    ],
    "deleted and made again": [
        ("createQueue", Q),
        *[("sendMessage", Q | {"message": text}) for text in "abc"],
        ("receiveMessage", Q),
        ("deleteQueue", Q),
        ("receiveMessage", Q),
        ("deleteMessage", Q | {"id": 0}),
        ("createQueue", Q | {"vt": 5}),
        ("getQueueAttributes", Q),
        ("receiveMessage", Q),
        ("changeMessageVisibility", Q | {"id": 0, "vt": 5}),
        ("sendMessage", Q | {"message": "d"}),
        ("popMessage", Q),
    ],
    "two queues": [
        ("createQueue", Q),
        ("createQueue", {"qname": "Q"}),
        ("sendMessage", Q | {"message": "small"}),
        ("sendMessage", {"qname": "Q", "message": "capital"}),
        ("listQueues", {}),
        ("receiveMessage", {"qname": "Q"}),
        ("deleteMessage", Q | {"id": 1}),
        ("deleteQueue", {"qname": "Q"}),
        ("receiveMessage", Q),
    ],
}


def run(side: Side, connection: redis.Redis, steps: list[Step]) -> Iterator[tuple[Step, Any, Any]]:
    """Yields after each step: the step, its result, and RSMQ's keys."""
    ids: list[str] = []
    began_ms = time_ms(connection)
    for method, options in steps:
        options = dict(options)
        if isinstance(options.get("id"), int):
            options["id"] = ids[options["id"]]
        result = outcome(side, method, options)
        if method == "sendMessage" and isinstance(result, str):
            ids.append(result)
        yield (method, options), comparable(result, ids), rsmqs_keys(connection, began_ms)
        _let_a_millisecond_pass(connection)


def comparable(result: Any, ids: list[str]) -> Any:
    """A result with its ids as numbers and without values that differ between two runs."""
    if isinstance(result, dict) and "sent" in result:
        known = {"id": ids.index(result["id"]), "sent": int(result["id"][:10], 36) / 1000 == result["sent"]}
        return result | known | {"fr": About(result["fr"] - result["sent"])}
    if isinstance(result, dict):
        # RSMQ counts a new message as hidden until its second is over.
        return {k: v for k, v in result.items() if k not in ("created", "modified", "hiddenmsgs")}
    if isinstance(result, list):
        return sorted(result)
    return ids.index(result) if isinstance(result, str) else result


def _let_a_millisecond_pass(connection: redis.Redis) -> None:
    """Ids with equal times would be ordered by their random part."""

    def now_ms() -> int:
        seconds, microseconds = connection.time()
        return seconds * 1000 + microseconds // 1000

    began = now_ms()
    while now_ms() == began:
        pass


def test_the_sequences_cover_all_ten_methods():
    assert {method for steps in SEQUENCES.values() for method, _ in steps} == set(METHODS)


@pytest.mark.parametrize("steps", SEQUENCES.values(), ids=SEQUENCES)
def test_the_same_calls_leave_rsmqs_keys_and_only_the_sender_as_an_extra_key(
    node: NodeSide, python: PythonSide, redis_connection: redis.Redis, steps: list[Step]
):
    by_node = list(run(node, redis_connection, steps))
    redis_connection.flushall()
    ours = run(python, redis_connection, steps)
    for (_, node_result, node_keys), (step, our_result, our_keys) in zip(by_node, ours, strict=True):
        assert (our_result, our_keys) == (node_result, node_keys), step
        for name, ms_to_live in beside(redis_connection).items():
            assert re.fullmatch(r"rsmq::sender:[0-9a-f]+", name), step
            assert 0 < ms_to_live <= 600_000


def test_node_and_python_read_the_same_attributes(node: NodeSide, python: PythonSide):
    node.call("createQueue", qname="q", vt=0)
    for number in range(5):
        node.call("sendMessage", qname="q", message=str(number), delay=60 * (number % 2))
    python.call("receiveMessage", qname="q", vt=60)
    python.call("popMessage", qname="q")

    def equal() -> bool:  # RSMQ counts a new message as hidden until its second is over
        return node.call("getQueueAttributes", qname="q") == python.call("getQueueAttributes", qname="q")

    eventually(equal, what="equal attributes")
    figures = python.call("getQueueAttributes", qname="q")
    assert (figures["msgs"], figures["hiddenmsgs"], figures["totalrecv"]) == (4, 3, 2)
