"""The session of the blocking client: runs scripts on one Redis, with the keys of one namespace.

A session repeats a call whose reply was lost, if that is safe. It also repeats a call that used the keys of
a former dead-letter queue. ``session_base.py`` has the rules for both.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from redis import VERSION, Redis
from redis import exceptions as driver
from redis._parsers.hiredis import NOT_ENOUGH_DATA

from queueing.exceptions import QueueError, QueueUnavailable, ReplyLost

from . import decode, refusals
from .keys import FORMAT
from .pool import use_in_forks
from .scripts import Call, QueueCall, commands
from .session_base import (
    AWAY,
    LOSSES,
    USUAL_SECONDS,
    Dialogue,
    SessionBase,
    Tries,
    checked,
    has_moved,
    packed_calls,
)

__all__ = ["AWAY", "Session", "checked"]

#: redis-py before 5.3 requires the name of a command when it lends a connection.
LENDING = () if VERSION >= (5, 3) else ("EVALSHA",)
#: The most bytes that one read returns.
RECEIVED_BYTES = 65536
#: The number of keys that Redis checks in one step of a scan.
SCAN_STEP = 1000
SCAN_REFUSED = "Redis refuses SCAN to its user, so the keys that deleted queues left are not tidied up"


class Session(SessionBase):
    """Runs scripts on the connections of a ``redis.Redis``. Threads and forks may share a session.

    A session does not use redis-py's retries, which repeat every failed call. In a test with lost replies,
    one pop that was retried in that way deleted eleven messages.
    """

    def __init__(self, redis: Redis, ns: str = "rsmq") -> None:
        self.redis = redis
        self._pool: Any = redis.connection_pool
        super().__init__(ns, self._pool.connection_kwargs)
        use_in_forks(self._pool)

    # --- calls --------------------------------------------------------------------------------

    def call(self, call: Call | QueueCall, *, replicas: int = 0) -> Any:
        """Run one script. Returns its reply, with texts as ``bytes``.

        ``replicas`` is the number of replicas that must confirm the writes. Raises ``QueueUnavailable`` if
        Redis does not answer, ``ReplyLost`` if the connection broke during a call that is not repeatable,
        ``NotReplicated`` if too few replicas confirm the writes, and ``QueueFull`` if Redis has reached its
        ``maxmemory``.
        """
        # This is the most frequent path, and ``call_each`` costs 5 % more.
        [reply] = self._exchange([self._made(call)], replicas)
        if isinstance(call, QueueCall) and has_moved(reply):
            [reply] = self.call_each([self._follow(call, reply)])
        if isinstance(reply, QueueError):
            raise reply
        return reply

    def call_each(self, calls: Sequence[Call | QueueCall], *, replicas: int = 0) -> list[Any]:
        """Run scripts in order, in one round trip. Returns one item for each script.

        The item is the reply of the script, or the error if Redis refuses the script. Raises
        ``QueueUnavailable``, ``ReplyLost`` and ``NotReplicated`` if the round trip fails.
        """
        replies = self._exchange([self._made(call) for call in calls], replicas)
        if moved := self._moved(calls, replies):
            again = self.call_each(list(moved.values()))
            for index, reply in zip(moved, again, strict=True):
                replies[index] = reply
        return replies

    def scan(self, pattern: str) -> Iterator[str]:
        """Yield the keys of the namespace that match ``pattern``. A key may be yielded twice.

        The keys and ``pattern`` are without the namespace. Raises ``QueueError`` if Redis refuses SCAN.
        """
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
        """The commands that the scripts need and that this Redis user may not run.

        The list is always empty on Redis 6.2, which cannot report them.
        """
        names = self.call(Call("refused", [self.keys.queues()], self.keys.channel(""), *commands()))
        return [name.decode() for name in names]

    def write_format(self) -> None:
        """Store the version of this release's key layout, so that older releases refuse to use the keys.

        Raises ``NewerFormat``.
        """
        self.call(Call("format", [self.keys.format()], FORMAT))

    def eviction_policy(self) -> str | None:
        """The ``maxmemory-policy`` of Redis, or ``None`` if Redis refuses to report it."""
        try:
            policy: str | None = self.redis.info("memory").get("maxmemory_policy")
            return policy
        except AWAY as error:
            refusal = refusals.unanswered(error)
            if isinstance(error, driver.ResponseError) and getattr(refusal, "is_lasting", False):
                return None
            raise refusal from error

    # --- one round trip, repeated -------------------------------------------------------------

    def _exchange(self, calls: Sequence[Call], replicas: int = 0) -> list[Any]:
        """Send the calls in one round trip, and return the replies. Repeats a failed round trip if possible.

        The calls are sent again only if the failed try had no effect, or if all calls are repeatable.
        """
        packed, tries = packed_calls(calls), Tries(self, calls)
        while True:
            try:
                return self._try_once(calls, packed, replicas)
            except QueueUnavailable as error:
                time.sleep(tries.pause_after(error))

    def _try_once(self, calls: Sequence[Call], packed: list[bytes], replicas: int) -> list[Any]:
        try:
            connection = self._pool.get_connection(*LENDING)
        except AWAY as error:
            raise refusals.unanswered(error) from error
        try:
            if not self._knows_format:
                _say(connection, self._check_format())
            replies = _converse(connection, packed, len(calls))
            refused = [reply for reply in replies if isinstance(reply, driver.ResponseError)]
            if refused or replicas:
                seconds = connection.socket_timeout or USUAL_SECONDS
                return _say(connection, self._conclude(calls, replies, replicas, seconds))
            return replies
        except BaseException as error:
            # Otherwise the next call would read the rest of this reply as its own. After a refusal, another
            # connection may lead to another server, such as the new primary.
            connection.disconnect()
            if isinstance(error, LOSSES):
                raise refusals.unanswered(error, ReplyLost) from error
            raise
        finally:
            self._pool.release(connection)


def _say(connection: Any, dialogue: Dialogue) -> list[Any]:
    """Run a dialogue on the connection: send the commands that it yields, and pass the replies back to it.

    Returns the result of the dialogue.
    """
    try:
        packed, count = next(dialogue)
        while True:
            try:
                replies = _converse(connection, packed, count)
            except LOSSES as error:
                packed, count = dialogue.throw(error)
            else:
                packed, count = dialogue.send(replies)
    except StopIteration as end:
        said: list[Any] = end.value
        return said


def _converse(connection: Any, packed: list[bytes], count: int) -> list[Any]:
    """Send encoded commands and read ``count`` replies. An error reply is returned, not raised."""
    if not getattr(connection, "is_direct", False) or connection._sock is None:
        connection.send_packed_command(packed)
        return [_read(connection) for _ in range(count)]
    sock, reader = connection._sock, connection._parser._reader
    for piece in packed:
        sock.sendall(piece)
    replies: list[Any] = []
    while len(replies) < count:
        reply = reader.gets(False)
        if reply is NOT_ENOUGH_DATA:
            received = sock.recv(RECEIVED_BYTES)
            if not received:
                raise driver.ConnectionError("Connection closed by server.")
            reader.feed(received)
        elif isinstance(reply, driver.ConnectionError):
            raise reply
        else:
            replies.append(reply)
    return replies


def _read(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except driver.ResponseError as error:
        return error
