"""A session: one namespace on one Redis, with its connections, its keys and the rules for repeated calls.

A call whose reply was lost is repeated if that is safe. If the dead-letter queue of a queue has changed, the
call is repeated with the keys of the new one.
"""

import math
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from hiredis import pack_command
from redis import VERSION, Redis
from redis import exceptions as driver

from queueing.exceptions import (
    MessageTooLong,
    NewerFormat,
    NotReplicated,
    QueueError,
    QueueExists,
    QueueNotFound,
    QueueRefused,
    QueueUnavailable,
    ReplyLost,
    ScheduleNotFound,
    SpoiltKey,
)
from queueing.resilience import deadline

from . import decode, refusals
from .keys import FORMAT, Keys, dead_letter_queue
from .pool import use_in_forks
from .rsmq_values import encode
from .scripts import Call, QueueCall, commands

#: redis-py before 5.3 requires the name of a command when it lends a connection.
LENDING = () if VERSION >= (5, 3) else ("EVALSHA",)
#: The retention of a new dead-letter queue: its messages are deleted after this long.
DEAD_RETENTION_SECONDS = 30 * 86_400
#: The number of keys that Redis checks in one step of a scan.
SCAN_STEP = 1000
SCAN_REFUSED = "Redis refuses SCAN to its user, so the keys that deleted queues left are not tidied up"
#: The reply of a script if its keys do not belong to the queue's present dead-letter queue.
MOVED = b"deadLetterQueue"
#: After these errors it is unknown whether a call has run.
LOSSES = (driver.ConnectionError, driver.TimeoutError, OSError)
#: Errors that any command can raise while Redis is away.
AWAY = (driver.RedisError, OSError)

_BY_NAME = {
    error.name.encode(): error for error in (QueueNotFound, QueueExists, MessageTooLong, ScheduleNotFound)
}


class Session:
    """Runs scripts on the connections of a ``redis.Redis``. Threads and forks may share it.

    It does not use the driver's retries, which repeat every failed call. One pop whose replies were cut has
    deleted eleven messages that way.
    """

    #: The number of tries for a call, if its time allows them.
    TRIES = 5

    def __init__(self, redis: Redis, ns: str = "rsmq") -> None:
        self.redis, self.keys = redis, Keys(ns)
        self._pool: Any = redis.connection_pool
        use_in_forks(self._pool)
        discovery = self._pool.connection_kwargs.get("discovery")
        self._is_cluster: bool = discovery is not None and discovery.is_cluster
        self._timeout_seconds: float = self._pool.connection_kwargs.get("socket_timeout") or 5.0
        self._failed_at = -math.inf  # when a request with a deadline gave up last
        self._dead_letter_queues: dict[str, str] = {}
        self._knows_format = False

    # --- calls --------------------------------------------------------------------------------

    def call(self, call: Call | QueueCall, *, replicas: int = 0) -> Any:
        """Run one script, confirmed by ``replicas``. Returns its reply, with texts as ``bytes``.

        Raises ``QueueUnavailable`` if Redis is away, ``ReplyLost`` if it went away during a call that is
        not repeatable, ``NotReplicated`` if fewer replicas confirm it, ``QueueFull`` over ``maxmemory``.
        """
        [reply] = self._exchange([self._made(call)], replicas)
        if isinstance(call, QueueCall) and _has_moved(reply):
            [reply] = self.call_each([self._follow(call, reply)])
        if isinstance(reply, QueueError):
            raise reply
        return reply

    def call_each(self, calls: Sequence[Call | QueueCall], *, replicas: int = 0) -> list[Any]:
        """Run scripts in order, in one round trip. If Redis refuses a script, its reply is the error.

        Raises ``QueueUnavailable``, ``ReplyLost`` and ``NotReplicated`` for all of them.
        """
        replies = self._exchange([self._made(call) for call in calls], replicas)
        while moved := {
            index: self._follow(call, reply)
            for index, (call, reply) in enumerate(zip(calls, replies, strict=True))
            if isinstance(call, QueueCall) and _has_moved(reply)
        }:
            calls = [moved.get(index, call) for index, call in enumerate(calls)]
            again = self._exchange([self._made(call) for call in moved.values()])
            for index, reply in zip(moved, again, strict=True):
                replies[index] = reply
        return replies

    def scan(self, pattern: str) -> Iterator[str]:
        """The keys that match a pattern, without the namespace. A key may occur more than once."""
        begins = f"{self.keys.ns}:"
        literally = "".join(f"\\{character}" if character in "*?[]\\^" else character for character in begins)
        try:
            for key in self.redis.scan_iter(match=f"{literally}{pattern}", count=SCAN_STEP):
                yield (decode.text(key) if isinstance(key, bytes) else key).removeprefix(begins)
        except driver.NoPermissionError as error:
            raise QueueError(f"{SCAN_REFUSED} ({error})") from error
        except AWAY as error:
            raise refusals.unanswered(error) from error

    def refused_commands(self) -> list[str]:
        """Commands of the scripts that Redis refuses to this user. Always empty on Redis 6.2."""
        names = self.call(Call("refused", [self.keys.queues()], self.keys.channel(""), *commands()))
        return [name.decode() for name in names]

    def write_format(self) -> None:
        """Note the format of this release in Redis, for older ones. Raises ``NewerFormat``."""
        self.call(Call("format", [self.keys.format()], FORMAT))

    def eviction_policy(self) -> str | None:
        """Redis' maxmemory-policy, or ``None`` if it does not report it."""
        try:
            policy: str | None = self.redis.info("memory").get("maxmemory_policy")
            return policy
        except AWAY as error:
            refusal = refusals.unanswered(error)
            if isinstance(error, driver.ResponseError) and getattr(refusal, "is_lasting", False):
                return None
            raise refusal from error

    # --- dead-letter queues -------------------------------------------------------------------

    def dead_letter_queue(self, queue: str) -> str:
        """The name of the dead-letter queue of ``queue`` that this process knows."""
        return self._dead_letter_queues.get(queue) or dead_letter_queue(queue)

    def learn_dead_letter_queue(self, queue: str, name: str) -> None:
        """Remember that the dead letters of ``queue`` go to ``name``."""
        self._dead_letter_queues[queue] = name

    def queue_keys(self, queue: str) -> list[str]:
        """The first eight keys of most scripts (``lua/lib/queue.lua``)."""
        return self.keys.of_queue(queue, self.dead_letter_queue(queue))

    def _follow(self, call: QueueCall, reply: Sequence[bytes]) -> QueueCall:
        """Remember the new dead-letter queues in ``reply``. Returns the call for their queues."""
        names = list(map(decode.text, reply[1:]))
        for queue, dead in zip(names[::2], names[1::2], strict=True):
            self.learn_dead_letter_queue(queue, dead)
        return QueueCall(call.script, names[::2], call.keys, *call.args, repeatable=call.repeatable)

    def _made(self, call: Call | QueueCall) -> Call:
        if isinstance(call, QueueCall):
            keys: list[str | bytes] = []
            args: list[Any] = []
            for queue in call.queues:
                dead = self.dead_letter_queue(queue)
                keys += call.keys(queue, dead)
                args += (queue, dead, DEAD_RETENTION_SECONDS)
            call = Call(call.script, keys, *args, *call.args, repeatable=call.repeatable)
        if self._is_cluster:
            # A key that is never there. While the slot moves, the node then refuses the whole call, and does
            # not stop it halfway at a key that the call itself has deleted.
            names = [*call.keys, self.keys.never()]
            call = Call(call.script, names, *call.args, repeatable=call.repeatable)
        return call

    # --- one round trip, repeated -------------------------------------------------------------

    def _exchange(self, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
        """Try until Redis replies. A failed try is repeated only if it had no effect or is repeatable."""
        packed = _packed([call.command(whole=False) for call in calls])
        repeatable = all(call.repeatable for call in calls)
        waiting = deadline.current()
        began = time.monotonic()
        give_up = began + self._seconds_left(waiting, began)
        tried, was_lost = 0, False
        while True:
            tried += 1
            try:
                return self._try_once(calls, packed, replicas)
            except QueueUnavailable as error:
                was_lost |= isinstance(error, ReplyLost)
                pause = random.uniform(0.01, 0.05) * 2**tried
                if (
                    tried < self.TRIES
                    and time.monotonic() + pause <= give_up
                    and (repeatable or not isinstance(error, ReplyLost))
                    and not (isinstance(error, QueueRefused) and error.is_lasting)
                ):
                    time.sleep(pause)
                    continue
                self._give_up(waiting, began, error)
                if was_lost and not isinstance(error, ReplyLost):
                    # An earlier try may have run, so this error must not report that nothing changed.
                    raise ReplyLost(f"{error} (the reply of an earlier try was lost)") from error
                raise

    def _seconds_left(self, waiting: deadline.Deadline | None, now: float) -> float:
        """The seconds left for tries. Raises ``QueueUnavailable`` if the request has no time left."""
        if waiting is None:
            return self._timeout_seconds
        is_known = waiting.is_read and now - self._failed_at < deadline.BELIEVED_SECONDS
        if is_known or waiting.seconds_left <= 0:
            raise QueueUnavailable("Redis does not answer (it did not a moment ago)")
        return min(self._timeout_seconds, waiting.seconds_left)

    def _give_up(self, waiting: deadline.Deadline | None, began: float, error: QueueUnavailable) -> None:
        if waiting is None:
            return
        now = time.monotonic()
        waiting.seconds_left -= now - began
        if not isinstance(error, QueueRefused):
            self._failed_at = now  # not after a refusal: Redis answers, so other requests may succeed

    def _try_once(self, calls: Sequence[Call], packed: list[bytes], replicas: int) -> list[Any]:
        try:
            connection = self._pool.get_connection(*LENDING)
        except AWAY as error:
            raise refusals.unanswered(error) from error
        try:
            if not self._knows_format:
                self._check_format(connection)
            connection.send_packed_command(packed)
            replies = [_read(connection) for _ in calls]
            replies = [
                self._settled(connection, call, reply) if isinstance(reply, driver.ResponseError) else reply
                for call, reply in zip(calls, replies, strict=True)
            ]
            if replicas:
                self._wait_for(replicas, connection)
            return replies
        except QueueRefused:
            # Another connection may lead to another server, such as the new primary.
            connection.disconnect()
            raise
        except LOSSES as error:
            connection.disconnect()
            raise refusals.unanswered(error, ReplyLost) from error
        except BaseException:
            # The next call would take the rest of a half-read reply for its own.
            connection.disconnect()
            raise
        finally:
            self._pool.release(connection)

    def _check_format(self, connection: Any) -> None:
        """Raise ``NewerFormat`` before the first call if a newer release has changed the keys."""
        call = Call("format", [self.keys.format()], "")
        try:
            connection.send_packed_command(_packed([call.command(whole=False)]))
            reply = _read(connection)
            if isinstance(reply, driver.ResponseError):
                reply = self._settled(connection, call, reply)
        except LOSSES as error:
            # The call of the caller was not sent, so its reply is not lost.
            raise refusals.unanswered(error) from error
        if isinstance(reply, int) and reply > FORMAT:
            raise NewerFormat(self.keys.ns, reply, FORMAT)
        self._knows_format = True

    def _wait_for(self, replicas: int, connection: Any) -> None:
        """Wait until the replicas have everything that was written on the connection."""
        seconds = (connection.socket_timeout or self._timeout_seconds) / 2
        connection.send_packed_command(_packed([("WAIT", replicas, int(seconds * 1000))]))
        confirmed = _read(connection)
        if isinstance(confirmed, driver.ResponseError):
            raise ReplyLost(f"The messages are stored, and WAIT is refused: {refusals.translated(confirmed)}")
        if confirmed < replicas:
            raise NotReplicated(confirmed, replicas)

    # --- error replies ------------------------------------------------------------------------

    def _settled(self, connection: Any, call: Call, reply: driver.ResponseError) -> Any:
        """The reply of a script, which is loaded if Redis lacks it, or an error. Raises ``QueueRefused``."""
        if isinstance(reply, driver.NoScriptError):
            connection.send_packed_command(_packed([call.command(whole=True)]))
            reply = _read(connection)
            if not isinstance(reply, driver.ResponseError):
                return reply
        error = refusals.translated(reply)
        if self._is_cluster and isinstance(reply, driver.AskError):
            error = QueueRefused("Redis refuses (MOVED): another node of its cluster has the queues now")
        if isinstance(error, QueueRefused):
            raise error from reply
        return (self._spoilt_key(connection, call) if "WRONGTYPE " in str(error) else None) or error

    def _spoilt_key(self, connection: Any, call: Call) -> SpoiltKey | None:
        """The error for the first key of a call with a wrong type, which Redis' own error does not name."""
        connection.send_packed_command(_packed([("TYPE", key) for key in call.keys]))
        types = [_read(connection) for _ in call.keys]
        for key, found in zip(call.keys, types, strict=True):
            name = decode.text(key) if isinstance(key, bytes) else key
            wanted = self.keys.type_of(name)
            if isinstance(found, bytes) and wanted and found.decode() not in (wanted, "none"):
                return SpoiltKey(name, found.decode(), wanted)
        return None


def checked(reply: list[Any]) -> list[Any]:
    """The reply without its leading ``ok``. Raises the error that a reply names in place of ``ok``."""
    if reply[0] == b"ok":
        return reply[1:]
    raise _BY_NAME[reply[0]]()


def _has_moved(reply: Any) -> bool:
    return isinstance(reply, list) and reply[0] == MOVED


def _packed(commands: Sequence[tuple[Any, ...]]) -> list[bytes]:
    """Encode commands in Redis' protocol as one piece, so that they are sent with one write."""
    pieces = [_packed_command(command) for command in commands]
    return pieces if len(pieces) == 1 else [b"".join(pieces)]


def _packed_command(command: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = pack_command(command)
    except UnicodeEncodeError:
        # Names and ids of other programs need not be UTF-8.
        command = tuple(encode(part) if isinstance(part, str) else part for part in command)
        packed = pack_command(command)
    return packed


def _read(connection: Any) -> Any:
    """Read the next reply. An error reply is returned, not raised."""
    try:
        return connection.read_response(disable_decoding=True)
    except driver.ResponseError as error:
        return error
