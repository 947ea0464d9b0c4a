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
    """A moment in ms from now. It equals another moment that is less than two seconds apart.

    A machine may stand still between the call that set the moment and "now", so ``age_ms``, the longest time
    that can be between them, is added to these two seconds.
    """

    ms: float
    age_ms: float = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, About):
            return NotImplemented
        return abs(self.ms - other.ms) < 2000 + max(self.age_ms, other.age_ms)

    def __hash__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time at which keys were read, and the time before the calls that wrote them."""

    now_ms: float
    began_ms: float

    def moment(self, ms: float, value: float | str, *, scale: float = 1) -> Any:
        """A time that a call has set. One that is years away is the test's own, and is compared exactly."""
        away_ms = (ms - self.now_ms) * scale
        return About(away_ms, self.now_ms - self.began_ms) if abs(away_ms) < YEAR_MS else value


def time_ms(connection: redis.Redis) -> float:
    """Redis' clock."""
    seconds, microseconds = connection.time()
    return seconds * 1000 + microseconds / 1000


def rsmqs_keys(connection: redis.Redis, began_ms: float) -> dict[str, Any]:
    """All keys of RSMQ. Ids become their rank in time, times their distance from now.

    The calls that set the times began at ``began_ms`` of Redis' clock.
    """
    clock = Clock(time_ms(connection), began_ms)
    names = sorted(name for name in map(bytes.decode, connection.keys(f"{NS}:*")) if RSMQ_KEY.fullmatch(name))
    found = {name: _content(connection, name) for name in names}
    ids = sorted({part for content in found.values() for part in _ids(content)})
    ranks = {message_id: f"id{rank}" for rank, message_id in enumerate(ids)}
    return {name: _plain(content, ranks, clock) for name, content in found.items()}


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


def _plain(content: Any, ranks: dict[str, str], clock: Clock) -> Any:
    if isinstance(content, set):
        return content
    if isinstance(content, list):
        assert all(score == int(score) for _, score in content), "scores are whole ms"
        return [(ranks[message_id], clock.moment(score, score)) for message_id, score in content]
    return {_field(name, ranks): _value(name, value, clock) for name, value in content.items()}


def _field(name: str, ranks: dict[str, str]) -> str:
    message_id, _, rest = (name, "", "") if name in ranks else name.rpartition(":")
    return f"{ranks[message_id]}:{rest}".rstrip(":") if message_id in ranks else name


def _value(name: str, value: str, clock: Clock) -> Any:
    if name.endswith(":fr"):
        return clock.moment(int(value), value)
    # Times in whole seconds may differ by one, even if they are only a moment apart.
    is_time = name in ("created", "modified")
    return clock.moment(int(value) * 1000, value, scale=0.5) if is_time else value
