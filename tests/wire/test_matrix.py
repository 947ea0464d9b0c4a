"""Body, times, receive count and first receive are the same for each pair of sender and receiver."""

import itertools

import pytest
import redis

from tests.support.node_programs import VERSIONS

from .bridge import Side

SIDES = (*VERSIONS, "ours")
#: The body sent -> the body received. They differ only for half a surrogate pair, which UTF-8 cannot encode.
BODIES: dict[str, tuple[str, str]] = {
    name: (text, text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    for name, text in {
        "ASCII": "Hello World at 2026-11-23T16:32:01.123Z",
        "é": "éàü ẞ",
        "emoji": "😀👩‍👩‍👧‍👦",
        "NUL": "a\x00b\x00",
        "CRLF": "a\r\nb\r\n$3\r\n",
        "empty": "",
        "64 KiB": "x" * 65536,
        "64 KiB of two bytes each": "é" * 65536,
        "beyond": "0123456789" * 20_000,
        "high half of a pair": "a\ud83d!",
        "low half of a pair": "a\ude00!",
        "line separators and a byte order mark": "\ufeff\u2028\u2029\x85",
        "numbers": '{"n": 9007199254740993, "x": 1e400}',
    }.items()
}


@pytest.mark.parametrize(("producer", "consumer"), list(itertools.product(SIDES, SIDES)))
def test_each_client_receives_what_each_other_client_sends(
    sides: dict[str, Side], redis_connection: redis.Redis, producer: str, consumer: str
):
    sender, receiver = sides[producer], sides[consumer]
    sender.call("createQueue", qname="q", maxsize=-1)
    for name, (body, arrives) in BODIES.items():
        message_id = sender.call("sendMessage", qname="q", message=body)
        first = receiver.call("receiveMessage", qname="q", vt=0)
        second = sender.call("receiveMessage", qname="q", vt=0)
        popped = receiver.call("popMessage", qname="q")
        assert [seen["message"] == arrives for seen in (first, second, popped)] == [True] * 3, name
        assert [seen["rc"] for seen in (first, second, popped)] == [1, 2, 3]
        for key, value in (
            ("id", message_id),
            ("fr", first["fr"]),
            ("sent", int(message_id[:10], 36) / 1000),
        ):
            assert {seen[key] for seen in (first, second, popped)} == {value}, name
        assert 0 <= first["fr"] - int(first["sent"]) < 5000
    assert redis_connection.hlen("rsmq:q:Q") == 7, "five attributes and two counters"
    assert receiver.call("getQueueAttributes", qname="q")["totalrecv"] == 3 * len(BODIES)
