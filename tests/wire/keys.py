"""The contents of Redis, with ids and times made comparable."""

import re
from dataclasses import dataclass
from typing import Any

import redis

NS = "rsmq"
ID = re.compile(r"[a-zA-Z0-9:]{32}")
#: RSMQ's own keys. The name of a queue cannot contain a colon.
RSMQ_KEY = re.compile(rf"{NS}:[^:]+(:Q)?")
YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """A moment in ms from now. It equals another moment that is less than two seconds apart."""

    ms: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, About) and abs(self.ms - other.ms) < 2000

    def __hash__(self) -> int:
        return 0


def rsmqs_keys(connection: redis.Redis) -> dict[str, Any]:
    """All keys of RSMQ. Ids become their rank in time, times their distance from now."""
    seconds, microseconds = connection.time()
    now_ms = seconds * 1000 + microseconds / 1000
    names = sorted(name for name in map(bytes.decode, connection.keys(f"{NS}:*")) if RSMQ_KEY.fullmatch(name))
    found = {name: _content(connection, name) for name in names}
    ids = sorted({part for content in found.values() for part in _ids(content)})
    ranks = {message_id: f"id{rank}" for rank, message_id in enumerate(ids)}
    return {name: _plain(content, ranks, now_ms) for name, content in found.items()}


def beside(connection: redis.Redis) -> dict[str, int]:
    """All keys that are not RSMQ's, with their ms to live (-1: no expiry)."""
    names = [name for name in map(bytes.decode, connection.keys("*")) if not RSMQ_KEY.fullmatch(name)]
    return {name: connection.pttl(name) for name in names}


def _content(connection: redis.Redis, name: str) -> Any:
    kind = connection.type(name)
    assert connection.ttl(name) == -1, f"{name} would be forgotten"
    if kind == b"hash":
        return {k.decode(): v.decode() for k, v in connection.hgetall(name).items()}
    if kind == b"zset":
        return [(k.decode(), score) for k, score in connection.zrange(name, 0, -1, withscores=True)]
    assert kind == b"set", kind
    return {member.decode() for member in connection.smembers(name)}


def _ids(content: Any) -> list[str]:
    names = [pair[0] for pair in content] if isinstance(content, list) else list(content)
    return [name for name in names if ID.fullmatch(name)]


def _plain(content: Any, ranks: dict[str, str], now_ms: float) -> Any:
    if isinstance(content, set):
        return content
    if isinstance(content, list):
        assert all(score == int(score) for _, score in content), "scores are whole ms"
        return [(ranks[message_id], _moment(score - now_ms, score)) for message_id, score in content]
    return {_field(name, ranks): _value(name, value, now_ms) for name, value in content.items()}


def _field(name: str, ranks: dict[str, str]) -> str:
    message_id, _, rest = (name, "", "") if name in ranks else name.rpartition(":")
    return f"{ranks[message_id]}:{rest}".rstrip(":") if message_id in ranks else name


def _value(name: str, value: str, now_ms: float) -> Any:
    if name.endswith(":fr"):
        return _moment(int(value) - now_ms, value)
    # Times in whole seconds may differ by one, even if they are only a moment apart.
    is_time = name in ("created", "modified")
    return _moment((int(value) * 1000 - now_ms) / 2, value) if is_time else value


def _moment(ms: float, value: float | str) -> Any:
    """A time that a call has set. One that is years away is the test's own, and is compared exactly."""
    return About(ms) if abs(ms) < YEAR_MS else value
