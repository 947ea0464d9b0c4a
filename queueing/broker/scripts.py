"""The Lua files: loaded once, called by their digest, in one round trip, repeated where that is safe.

A script is the unit of atomicity, so every operation of the queue is one file in ``lua/``. Shared
parts lie in ``lua/lib`` and are pulled in by a line ``-- include name``.
"""

import hashlib
import math
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis import exceptions as driver

from queueing.exceptions import QueueError, QueueRefused, QueueUnavailable, ReplyLost, SpoiltKey
from queueing.resilience import deadline

from . import decode, refusals
from .keys import Keys

FOLDER = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)

COMMAND = re.compile(r"redis\.p?call\('([A-Z]+)'")
#: Errors after which nobody knows whether it ran.
LOSSES = (driver.ConnectionError, driver.TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua file with its includes, and the digest under which Redis keeps it."""

    name: str
    source: bytes
    digest: bytes


@cache
def load(name: str) -> Script:
    """Read ``lua/<name>.lua`` with all it includes."""
    source = _expanded(FOLDER / f"{name}.lua", set()).encode()
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


@cache
def commands() -> tuple[str, ...]:
    """The commands of Redis that the scripts call."""
    sources = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.lua"))
    return tuple(sorted(set(COMMAND.findall(sources))))


def _expanded(path: Path, seen: set[Path]) -> str:
    """The text of a file, each part that it or its parts include in the place of its first mention."""
    if path in seen:
        return ""
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    return INCLUDE.sub(lambda found: _expanded(FOLDER / "lib" / f"{found[1]}.lua", seen), text)


@dataclass(slots=True)
class Call:
    """One script with its keys and arguments."""

    script: str
    keys: Sequence[str | bytes]
    args: Sequence[Any] = ()

    def command(self, *, whole: bool) -> tuple[Any, ...]:
        script = load(self.script)
        verb = ("EVAL", script.source) if whole else ("EVALSHA", script.digest)
        return (*verb, len(self.keys), *self.keys, *self.args)


class ScriptRunner:
    """Runs scripts on the connections of a ``redis.Redis``.

    It talks to the connection itself, because the driver's own retry repeats whatever failed: one
    pop whose replies were cut has deleted eleven messages that way.
    """

    #: How often a repeatable call is tried in all, as long as its time is not used up.
    TRIES = 5

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._keys = keys
        self.pool = redis.connection_pool
        self.patience_seconds = self.pool.connection_kwargs.get("socket_timeout") or 5.0
        self._failed_at = -math.inf  # when somebody with a page's patience last gave up

    def run(self, script: str, keys: Sequence[str], *args: Any, repeatable: bool = True) -> Any:
        """Run one script and return its reply with byte strings.

        Raises ``QueueUnavailable`` where Redis is away, ``ReplyLost`` where it went away during a
        call that is not ``repeatable``, ``QueueFull`` over ``maxmemory``.
        """
        return self.run_all([Call(script, keys, args)], repeatable=repeatable)[0]

    def run_all(self, calls: Sequence[Call], *, repeatable: bool = True) -> list[Any]:
        """Run scripts in order in one round trip; the same errors as ``run``."""
        replies = self.try_all(calls, repeatable=repeatable)
        for reply in replies:
            if isinstance(reply, QueueError):
                raise reply
        return replies

    def try_all(self, calls: Sequence[Call], *, repeatable: bool = True) -> list[Any]:
        """The same, with the error of a script that Redis refused in the place of its reply.

        Tries again after what had certainly no effect, and after anything where that is harmless.
        """
        waiting = deadline.current()
        if waiting is None:
            return self._try_until(self.patience_seconds, calls, repeatable)
        began = time.monotonic()
        is_known = waiting.is_read and began - self._failed_at < deadline.BELIEVED_SECONDS
        if is_known or waiting.seconds_left <= 0:
            raise QueueUnavailable("Redis does not answer (it did not a moment ago)")
        try:
            return self._try_until(min(self.patience_seconds, waiting.seconds_left), calls, repeatable)
        except QueueUnavailable as error:
            now = time.monotonic()
            waiting.seconds_left -= now - began
            if not isinstance(error, QueueRefused):
                self._failed_at = now  # a refusal is no silence: the others may get their answers
            raise

    def _try_until(self, seconds: float, calls: Sequence[Call], repeatable: bool) -> list[Any]:
        packed = _packed([call.command(whole=False) for call in calls])
        give_up = time.monotonic() + seconds
        tried, was_lost = 0, False
        while True:
            tried += 1
            try:
                return self._try_once(calls, packed)
            except QueueUnavailable as error:
                was_lost |= isinstance(error, ReplyLost)
                pause = random.uniform(0.01, 0.05) * 2**tried
                is_final = tried == self.TRIES or time.monotonic() + pause > give_up
                is_final |= isinstance(error, ReplyLost) and not repeatable
                is_final |= isinstance(error, QueueRefused) and error.is_lasting
                if is_final and was_lost and not isinstance(error, ReplyLost):
                    # An earlier try may have had its effect, so this is not an error that changed nothing.
                    raise ReplyLost(f"{error} (the reply of an earlier try was lost)") from error
                if is_final:
                    raise
                time.sleep(pause)

    def _try_once(self, calls: Sequence[Call], packed: list[bytes]) -> list[Any]:
        try:
            connection = self.pool.get_connection()
        except (driver.RedisError, OSError) as error:
            raise refusals.unanswered(error) from error
        try:
            replies = _converse(connection, packed, len(calls))
            return [
                self._settled(connection, call, reply) for call, reply in zip(calls, replies, strict=True)
            ]
        except QueueRefused:
            # Another connection may lead to another server, such as the new primary.
            connection.disconnect()
            raise
        except LOSSES as error:
            connection.disconnect()
            raise refusals.unanswered(error, ReplyLost) from error
        except BaseException:
            # A half-read reply would be taken for the next call's.
            connection.disconnect()
            raise
        finally:
            self.pool.release(connection)

    def _settled(self, connection: Any, call: Call, reply: Any) -> Any:
        """A reply, or its error in our terms. Raises ``QueueRefused``."""
        settled = _settled(connection, call, reply)
        if isinstance(settled, QueueError) and "WRONGTYPE " in str(settled):
            return self._spoilt_key(connection, call) or settled
        return settled

    def _spoilt_key(self, connection: Any, call: Call) -> SpoiltKey | None:
        """The first key of a call that has another type than it should: Redis does not name it."""
        types = _converse(connection, _packed([("TYPE", key) for key in call.keys]), len(call.keys))
        for key, found in zip(call.keys, types, strict=True):
            name = decode.text(key) if isinstance(key, bytes) else key
            wanted = self._keys.type_of(name)
            if isinstance(found, bytes) and wanted and found.decode() not in (wanted, "none"):
                return SpoiltKey(name, found.decode(), wanted)
        return None


def _packed(commands: Sequence[tuple[Any, ...]]) -> list[bytes]:
    """Commands in Redis' protocol, to be written in one go."""
    pieces = [pack_command(command) for command in commands]
    return pieces if len(pieces) == 1 else [b"".join(pieces)]


def _converse(connection: Any, packed: list[bytes], count: int) -> list[Any]:
    """Write commands and read that many replies, an error in the place of the one it is."""
    connection.send_packed_command(packed)
    replies: list[Any] = []
    for _ in range(count):
        try:
            replies.append(connection.read_response(disable_decoding=True))
        except driver.ResponseError as error:
            replies.append(error)
    return replies


def _settled(connection: Any, call: Call, reply: Any) -> Any:
    """The reply of a script, once that is loaded, or its error in our terms. Raises ``QueueRefused``."""
    if isinstance(reply, driver.NoScriptError):
        [reply] = _converse(connection, _packed([call.command(whole=True)]), 1)
    if not isinstance(reply, driver.ResponseError):
        return reply
    error = refusals.translated(reply)
    if isinstance(error, QueueRefused):
        raise error from reply
    return error
