"""Values that another program may leave in each key: values of other types, and garbage of the right type."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis

from queueing.broker.keys import NAMESPACE_TYPES, QUEUE_TYPES, Keys

#: The queue with the spoilt keys. The queue beside it must stay visible.
QUEUE, BESIDE = "testqueue", "default"
#: Commands that write a value of each Redis type. The first value is not UTF-8 and contains HTML.
TYPES: dict[str, Callable[[redis.Redis, str], object]] = {
    "string": lambda r, key: r.set(key, b'gar\xff"<script>'),
    "list": lambda r, key: r.rpush(key, "a", "b"),
    "set": lambda r, key: r.sadd(key, "a"),
    "hash": lambda r, key: r.hset(key, "a", "b"),
    "zset": lambda r, key: r.zadd(key, {"a": 1}),
    "stream": lambda r, key: r.xadd(key, {"a": "b"}),
}
ID = "hol7zzzzzz" + "q" * 22
MANY = "9" * 400
DEEP = "[" * 50_000
#: Names that this project would not give to a queue, a worker or a schedule.
NAMES = (b"", b"a:b", b"\xff\xfe", b"<script>alert(1)</script>", b"x\r\ny", b"z" * 5000, b":held", b"n\x00l")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A key, the commands that spoil it, and whether they change its type."""

    name: str
    key: str
    spoil: Callable[[redis.Redis], object]
    is_of_other_type: bool = False


def of_other_types(keys: Keys) -> Iterator[Spoilt]:
    """Each key with each wrong type."""
    names = [*keys.of_namespace(), *keys.all_of_queue(QUEUE), keys.schedule(f"{QUEUE}-dead")]
    names += [keys.attributes(f"{QUEUE}-dead"), keys.hits("post 127.0.0.1")]
    for key in names:
        for type in TYPES:
            if type != keys.type_of(key):
                yield Spoilt(
                    f"{key} is a {type}", key, _replaced(key, type), key != keys.hits("post 127.0.0.1")
                )


def _replaced(key: str, type: str) -> Callable[[redis.Redis], object]:
    def spoil(r: redis.Redis) -> None:
        r.delete(key)
        TYPES[type](r, key)

    return spoil


def of_garbage(keys: Keys) -> Iterator[Spoilt]:
    """Each key with meaningless values of the right type."""
    for name in QUEUE_TYPES:
        key = f"{keys.ns}:{QUEUE}:{name}"
        for text in ("", "{", "[1]", MANY, b"\xff\x00", DEEP):
            yield Spoilt(f"{name} {text!r:.20}", key, _filled(key, QUEUE_TYPES[name], text))
    for name, type in NAMESPACE_TYPES.items():
        key = f"{keys.ns}::{name}"
        for text in ("", "{", "null", "-" + MANY, "nan", b"\xff\x00", DEEP):
            yield Spoilt(f"{name} {text!r:.20}", key, _filled(key, type, text))
        if type == "hash":
            now = int(time.time() * 1000)
            odd = {"host": 5, "pid": 1e308, "queues": [1, {}], "children": [1, {"running": [5]}], "token": []}
            texts = [json.dumps(odd), f"{now} {json.dumps(odd)}", f"{now} {DEEP}", f'{now} {{"pid":{MANY}}}']
            for number, text in enumerate(texts):
                yield Spoilt(f"{name} odd {number}", key, _filled(key, type, text))
    schedule = keys.schedule(QUEUE)
    scores = (math.inf, -math.inf, -1e300, 1.5, 1e300)
    yield Spoilt(
        "scores", schedule, lambda r: [_message(r, keys, str(n) * 32, s) for n, s in enumerate(scores)]
    )
    for text in ("NaN", "1e308", "-5", "9223372036854775807", MANY, "<x>", ""):
        yield Spoilt(f"counts {text!r:.20}", schedule, lambda r, text=text: _message(r, keys, ID, 1, text))
    yield Spoilt("names in the index", keys.queues(), lambda r: r.sadd(keys.queues(), *NAMES))
    yield Spoilt("names of queues", keys.queues(), lambda r: [_queue(r, keys, name) for name in NAMES])
    for value in (MANY, "inf", "x", "<b>", b"\xff", "", "QUEUES", "a" * 100_000, QUEUE):
        fields = ("vt", "delay", "maxsize", "totalsent", "totalrecv", "created", "modified")
        fields += ("retention", "max_receive_count", "dead_letter_queue", "paused")
        mapping = dict.fromkeys(fields, value)
        key = keys.attributes(QUEUE)
        yield Spoilt(f"attributes {value!r:.20}", key, lambda r, m=mapping, key=key: r.hset(key, mapping=m))


def _filled(key: str, type: str, text: str | bytes) -> Callable[[redis.Redis], object]:
    """Write ``text`` into every part of a key."""
    fields = (
        "x",
        ID,
        f"a {QUEUE}",
        "now",
        "total",
        "last",
        "since",
        "m1",
        "bytes",
        "lost",
        "acknowledged",
        "vt",
    )

    def fill(r: redis.Redis) -> None:
        if type == "hash":
            r.hset(key, mapping=dict.fromkeys([*fields, text], text))
        elif type == "zset":
            r.zadd(key, {text: 1, b"\xff\x00": math.inf, "": -math.inf, ID: 1, f"a {QUEUE}": 10**14})
        elif type == "set":
            r.sadd(key, text, *NAMES)
        elif type == "stream":
            r.xadd(key, {"count": text, "bytes": text, "ms": text, "packed": text, "refused": text})
        else:
            r.set(key, text)

    return fill


def _message(r: redis.Redis, keys: Keys, id: str, score: float, count: str = "1") -> None:
    r.hset(keys.attributes(QUEUE), mapping={id: "body", f"{id}:rc": count, f"{id}:fr": count})
    r.zadd(keys.schedule(QUEUE), {id: score})


def _queue(r: redis.Redis, keys: Keys, name: bytes) -> None:
    r.sadd(keys.queues(), name)
    attributes, schedule = (f"{keys.ns}:".encode() + name + end for end in (b":Q", b""))
    if r.type(attributes) in (b"none", b"hash"):
        r.hset(attributes, mapping={"vt": 30, "delay": 0, "maxsize": -1, b"y" * 32: b"<script>"})
    if r.type(schedule) in (b"none", b"zset"):
        r.zadd(schedule, {b"y" * 32: 1})
