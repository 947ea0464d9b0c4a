"""Values that another program may have left in the keys of a queue: each has a name and a function.

All concern the queue ``ledger``. ``PER_MESSAGE`` spoils one message, ``KEYS`` a whole key.
"""

import math
import time
from collections.abc import Callable, Iterator

from queueing.client import QueueClient

Spoil = Callable[[QueueClient], object]

QUEUE = "ledger"
#: A message of RSMQ's form that was sent long ago.
ID = "hol7zzzzzz" + "q" * 22
LANE = f"evil-1 {QUEUE}"
MANY = "9" * 400
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-3",
    "0.5",
    "1e3",
    str(2**53),
    MANY,
    "9" * 5000,
    "text",
    b"\xff",
    "",
)
DEEP = ("[" * 10_000, '{"a":' * 10_000, "p5 " + "[" * 10_000, "[" * 100_000 + "]" * 100_000)
NOT_HEADERS = (
    *("{", "null", "[1]", "5", '{"a":NaN}', '{"a":{"b":1},"1":null}', '{"a":' + "9" * 5000 + "}"),
    *(b"\xff\xfe{", '{"a":"\\ud800"}', f"p{MANY} {{}}", "p999999999999 {", "p5", "p-1 {}", "x" * 2_000_000),
)
ENDS = ("a b c", "-1 -1 -1", "1", f"{MANY} {MANY} {MANY} {MANY}", f"0 {MANY} 0", f"{2**63} 0 0", b"\xff", "")
HELD = (
    *("{", "null", "5", "[]", "{}", "[" * 10_000, '"x"', b"\xff", '{"held":5,"claim":1,"settle":1}'),
    *('{"held":["a"],"taken":0}', '{"held":[{},[]],"taken":0,"refused":[]}', '{"held":["a",{}]}'),
    '{"held":["a",1e999],"claim":"x","settle":{},"taken":[],"refused":5}',
    '{"held":[1,2,3],"claim":1,"settle":1,"taken":7,"refused":{"a":1}}',
)
UNIQUE = (
    *("x", "a b c", "d - - 0", f"d nobody {ID} {MANY}", f"d - {ID} 5", f"d {ID} {ID} 0", f"d {ID} - 1"),
    *("d - nobody 0", b"\xff \xff \xff 1", "", f"d - - {MANY}"),
)
SCORES = (-math.inf, math.inf, -1e308, 1e300, 0.5, -0.0, 2.0**63)
BODIES = (
    *(b"", b"\x00" * 100, b"\xff\xfe", b'{"django_task":1,"args":' + b"[" * 1_000_000),
    *(b'{"django_task":', b'{"django_task":1e999}', b'{"django_task":1,"task":5}'),
    b'{"django_task":1,"task":"' + b"." * 400_000 + b'"}',
    b'{"django_task":1,"task":"' + b"a." * 200_000 + b'"}',
    b'{"django_task":1,"task":"' + b'\\"' * 200_000,
)
ATTRIBUTES = (
    *({"vt": text, "delay": text} for text in ("1e309", "inf", "nan", "x")),
    *({"maxsize": text} for text in ("inf", "nan", "x", MANY)),
    {"vt": MANY},
    *({name: text} for name in ("totalrecv", "totalsent") for text in ("x", "1.5", str(2**63 - 1), MANY)),
    *({"created": MANY}, {"modified": "nan"}, {"retention": MANY}, {"retention": "x"}),
    *({"max_receive_count": MANY}, {"max_receive_count": "x"}, {"dead_letter_queue": b"\xff\x00"}),
    *({"dead_letter_queue": ""}, {"dead_letter_queue": "d" * 5000}, {"dead_letter_queue": QUEUE}),
)


def put(
    client: QueueClient, *, id: str | bytes = ID, body: bytes = b"text", score: float = 1, rc=None, fr=None,
    ends=None, headers=None,
) -> None:  # fmt: skip
    """Write a message as no client does: any value in any field of it."""
    keys, redis = client.keys, client.redis
    name = id if isinstance(id, bytes) else id.encode()
    redis.hset(keys.attributes(QUEUE), name, body)
    for suffix, value in ((b":rc", rc), (b":fr", fr)):
        if value is not None:
            redis.hset(keys.attributes(QUEUE), name + suffix, value)
    if ends is not None:
        redis.hset(keys.ends(QUEUE), name, ends)
    if headers is not None:
        redis.hset(keys.headers(QUEUE), name, headers)
    redis.zadd(keys.schedule(QUEUE), {name: score})


def per_message() -> Iterator[tuple[str, Spoil]]:
    """Messages, each with one wrong part."""
    for score in SCORES:
        yield f"score {score}", lambda client, score=score: put(client, score=score)
    for number in NUMBERS:
        shown = repr(number)[:20]
        yield f"rc {shown}", lambda client, number=number: put(client, rc=number)
        yield f"fr {shown}", lambda client, number=number: put(client, rc=1, fr=number)
    for text in (*ENDS, *NUMBERS):
        yield f"ends {text[:20]!r}", lambda client, text=text: put(client, rc=1, ends=text)
    for text in (*DEEP, *NOT_HEADERS):
        yield f"headers {text[:20]!r}", lambda client, text=text: put(client, headers=text)
        yield f"headers {text[:20]!r}, again", lambda client, text=text: put(client, headers=text, rc=1)
    for body in BODIES:
        yield f"body {body[:30]!r}", lambda client, body=body: put(client, body=body)
    for id in (b"", b"\xff\x00\n", b"i" * 1_000_000, b"x:rc", b"vt", b"a b", b"*", "é".encode() * 16):
        yield f"id {id[:10]!r}", lambda client, id=id: put(client, id=id)
    yield "a score of a field that is not a message", lambda client: _zadd(client, "schedule", {"maxsize": 1})


def beside() -> Iterator[tuple[str, Spoil]]:
    """Spoilt values in the keys beside a queue and its messages."""
    for text in HELD:
        for end, name in ((1, "over"), (math.inf, "endless"), (time.time() * 1000 + 10**9, "lasting")):
            yield f"lane {text[:30]!r}, {name}", lambda client, text=text, end=end: _lane(client, text, end)
    yield "leases of no lane", lambda client: _zadd(client, "leases", {f"l{i}": 1 for i in range(200)})
    for score in SCORES:
        yield (
            f"lease {score}",
            lambda client, score=score: _zadd(client, "leases", {"x": score, b"\xff\x00": score}),
        )
        yield f"waking {score}", lambda client, score=score: (
            put(client, headers="p5 {}"), _zadd(client, "waking", {ID: score, "nobody": score})
        )  # fmt: skip
    for text in UNIQUE:
        yield f"unique {text[:20]!r}", lambda client, text=text: _unique(client, text)
    for attributes in ATTRIBUTES:
        shown = {name: text[:10] for name, text in attributes.items()}
        yield f"attributes {shown}", lambda client, attributes=attributes: (
            put(client, rc=1), client.redis.hset(client.keys.attributes(QUEUE), mapping=attributes)
        )  # fmt: skip
    for name in ("now", "total", "last", "since"):
        for text in ("[" * 10_000, "x", f"{MANY} {{}}", '{"done":[1],"max_x":{}}', "[[1],[2,3,4,{}]]"):
            yield (
                f"metrics {name} {text[:20]!r}",
                lambda client, name=name, text=text: client.redis.hset(
                    client.keys.metrics(QUEUE), name, text
                ),
            )
    for text in ("1 NaN <b>", "x", "1 1e999 \xff", "[" * 10_000):
        yield (
            f"progress {text[:20]!r}",
            lambda client, text=text: client.redis.hset(client.keys.progress(QUEUE), ID, text),
        )


def keys_of_another_type() -> Iterator[tuple[str, Spoil]]:
    """A key beyond RSMQ's that has another type."""
    for name in ("ends", "leases", "headers", "progress", "metrics", "waking", "unique"):
        yield from _of_other_types(name, lambda client, name=name: getattr(client.keys, name)(QUEUE))
    for name in ("held", "outbox", "outbox_stats", "unrecorded", "task_queues", "workers", "quiet_workers"):
        yield from _of_other_types(name, lambda client, name=name: getattr(client.keys, name)())


def keys_of_rsmq_of_another_type() -> Iterator[tuple[str, Spoil]]:
    """A key of RSMQ that has another type: its queue cannot work."""
    for name in ("attributes", "schedule"):
        yield from _of_other_types(name, lambda client, name=name: getattr(client.keys, name)(QUEUE))
    yield from _of_other_types("queues", lambda client: client.keys.queues())


def _of_other_types(name: str, key: Callable[[QueueClient], str]) -> Iterator[tuple[str, Spoil]]:
    yield f"{name} is a string", lambda client: client.redis.set(key(client), b'gar\xff"<script>')
    yield f"{name} is a list", lambda client: (
        client.redis.delete(key(client)), client.redis.rpush(key(client), "a", "b")
    )  # fmt: skip


def _unique(client: QueueClient, text: str | bytes) -> None:
    put(client, headers='{"queueing-unique":"x"}', rc=1)
    client.redis.hset(client.keys.unique(QUEUE), mapping=dict.fromkeys((ID, "k:x", "", "nobody"), text))
    _zadd(client, "waking", {ID: 1, "nobody": 1})


def _lane(client: QueueClient, text: str | bytes, end: float) -> None:
    client.redis.hset(client.keys.held(), LANE, text)
    _zadd(client, "leases", {LANE: end})


def _zadd(client: QueueClient, name: str, scores: dict) -> None:
    client.redis.zadd(getattr(client.keys, name)(QUEUE), scores)
