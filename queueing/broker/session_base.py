"""The rules that both sessions share. ``session.py`` and ``async_session.py`` add the input and output.

A dialogue is a generator that talks to Redis. It yields encoded commands with the number of their replies,
and receives the replies.
"""

import math
import random
import time
from collections.abc import Generator, Sequence
from typing import Any

from hiredis import pack_command
from redis import exceptions as driver

from queueing.exceptions import (
    MessageTooLong,
    NewerFormat,
    NotReplicated,
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
from .rsmq_values import encode
from .scripts import IN_CLUSTER, Call, QueueCall

#: The retention of a new dead-letter queue: its messages are deleted after this long.
DEAD_RETENTION_SECONDS = 30 * 86_400
#: The first item of a script's reply if the call used the keys of a former dead-letter queue.
MOVED = b"deadLetterQueue"
#: The timeout of a connection that has none of its own.
USUAL_SECONDS = 5.0
#: After these errors it is unknown whether a call has run.
LOSSES = (driver.ConnectionError, driver.TimeoutError, OSError)
#: Errors that any command can raise while Redis is away.
AWAY = (driver.RedisError, OSError)

_BY_NAME = {
    error.name.encode(): error for error in (QueueNotFound, QueueExists, MessageTooLong, ScheduleNotFound)
}

#: Encoded commands, and the number of their replies.
Saying = tuple[list[bytes], int]
Dialogue = Generator[Saying, list[Any], list[Any]]


class SessionBase:
    """The base of both sessions: has the keys, the known dead-letter queues, and the rules for repeats."""

    #: The maximum number of tries for one call. A try that would begin too late is left out.
    TRIES = 5

    def __init__(self, ns: str, pool_options: dict[str, Any]) -> None:
        """``pool_options`` are the options of redis-py's connections."""
        self.keys = Keys(ns)
        discovery = pool_options.get("discovery")
        self._is_cluster: bool = discovery is not None and discovery.is_cluster
        self._timeout_seconds: float = pool_options.get("socket_timeout") or USUAL_SECONDS
        self._failed_at = -math.inf  # when a request with a deadline gave up last
        self._dead_letter_queues: dict[str, str] = {}
        self._knows_format = False
        #: The name of the partition, which errors name. It is ``""`` if there is only one.
        self.partition = ""
        #: The queues that are known to be stored in Redis as queues of tasks.
        self.task_queues: set[str] = set()

    # --- keys ---------------------------------------------------------------------------------

    def dead_letter_queue(self, queue: str) -> str:
        """The name of the dead-letter queue of ``queue``, as far as this process knows."""
        return self._dead_letter_queues.get(queue) or dead_letter_queue(queue)

    def learn_dead_letter_queue(self, queue: str, name: str) -> None:
        """Remember that the dead letters of ``queue`` go to ``name``."""
        self._dead_letter_queues[queue] = name

    def queue_keys(self, queue: str) -> list[str]:
        """The eight keys with which most scripts begin (``lua/lib/queue.lua``)."""
        return self.keys.of_queue(queue, self.dead_letter_queue(queue))

    def _follow(self, call: QueueCall, reply: Sequence[bytes]) -> QueueCall:
        """Make the call to send again after ``reply`` has named new dead-letter queues, and remember these.

        The returned call differs from ``call`` only in the keys of the dead-letter queues.
        """
        names = list(map(decode.text, reply[1:]))
        for queue, dead in zip(names[::2], names[1::2], strict=True):
            self.learn_dead_letter_queue(queue, dead)
        return QueueCall(call.script, names[::2], call.keys, *call.args, repeatable=call.repeatable)

    def _moved(self, calls: Sequence[Call | QueueCall], replies: Sequence[Any]) -> dict[int, QueueCall]:
        """The calls to send again because a dead-letter queue has changed, by their index in ``calls``."""
        return {
            index: self._follow(call, reply)
            for index, (call, reply) in enumerate(zip(calls, replies, strict=True))
            if isinstance(call, QueueCall) and has_moved(reply)
        }

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
            # The added key never exists. So while its slot moves, the node refuses the call before it runs.
            # Otherwise the node could stop the call halfway, at a key that the call itself has deleted.
            names = [*call.keys, self.keys.never()]
            call = Call(call.script + IN_CLUSTER, names, *call.args, repeatable=call.repeatable)
        return call

    # --- repeats ------------------------------------------------------------------------------

    def _seconds_left(self, waiting: deadline.Deadline | None, now: float) -> float:
        """The seconds for all tries of a call: the timeout, or less near the deadline of a web request.

        ``waiting`` is the deadline of the current web request. Raises ``QueueUnavailable`` if it has passed,
        and for a request that only reads if Redis failed to answer another request shortly before.
        """
        if waiting is None:
            return self._timeout_seconds
        is_known = waiting.is_read and now - self._failed_at < deadline.BELIEVED_SECONDS
        if is_known or waiting.seconds_left <= 0:
            raise self.named(QueueUnavailable("Redis does not answer (it did not a moment ago)"))
        return min(self._timeout_seconds, waiting.seconds_left)

    def _give_up(self, waiting: deadline.Deadline | None, began: float, error: QueueUnavailable) -> None:
        if waiting is None:
            return
        now = time.monotonic()
        waiting.seconds_left -= now - began
        if not isinstance(error, QueueRefused):
            self._failed_at = now  # not after a refusal: Redis answers, so other requests may succeed

    def named(self, error: QueueUnavailable) -> QueueUnavailable:
        """Add the name of the partition to ``error``."""
        if self.partition and not error.partition:
            error.partition, error.args = self.partition, (f"Partition {self.partition}: {error}",)
        return error

    # --- what is said on a connection ---------------------------------------------------------

    def _dialogue(
        self, calls: Sequence[Call], packed: list[bytes], replicas: int, seconds: float
    ) -> Dialogue:
        """The dialogue that sends ``calls``. ``seconds`` is the timeout of the connection."""
        if not self._knows_format:
            yield from self._check_format()
        replies = yield packed, len(calls)
        return (yield from self._conclude(calls, replies, replicas, seconds))

    def _check_format(self) -> Dialogue:
        """Raise ``NewerFormat`` before the first call if a newer release has changed the keys."""
        call = Call("format", [self.keys.format()], "")
        try:
            [reply] = yield packed_calls([call]), 1
            if isinstance(reply, driver.ResponseError):
                reply = yield from self._handled(call, reply)
        except LOSSES as error:
            # The call of the caller was not sent, so its reply is not lost.
            raise refusals.unanswered(error) from error
        if isinstance(reply, int) and reply > FORMAT:
            raise NewerFormat(self.keys.ns, reply, FORMAT)
        self._knows_format = True
        return []

    def _conclude(self, calls: Sequence[Call], replies: list[Any], replicas: int, seconds: float) -> Dialogue:
        """Handle the error replies (see ``_handled``), and wait for ``replicas`` replicas.

        Returns the replies for the caller. ``seconds`` is the timeout of the connection.
        """
        for index, (call, reply) in enumerate(zip(calls, replies, strict=True)):
            if isinstance(reply, driver.ResponseError):
                replies[index] = yield from self._handled(call, reply)
        if replicas:
            yield from self._wait_for(replicas, seconds)
        return replies

    def _wait_for(self, replicas: int, seconds: float) -> Generator[Saying, list[Any], None]:
        """Wait up to half of ``seconds`` until ``replicas`` replicas have all writes of the connection.

        Raises ``NotReplicated`` if too few replicas confirm this in time, and ``ReplyLost`` if Redis refuses
        ``WAIT``.
        """
        [confirmed] = yield packed_commands([("WAIT", replicas, int(seconds / 2 * 1000))]), 1
        if isinstance(confirmed, driver.ResponseError):
            raise ReplyLost(f"The messages are stored, and WAIT is refused: {refusals.translated(confirmed)}")
        if confirmed < replicas:
            raise NotReplicated(confirmed, replicas)

    # --- error replies ------------------------------------------------------------------------

    def _handled(self, call: Call, reply: driver.ResponseError) -> Generator[Saying, list[Any], Any]:
        """Handle an error reply. Returns the reply of the script, or a ``QueueError`` for the caller.

        If Redis does not know the script, its source is sent and run. Raises ``QueueRefused`` if Redis
        refuses the call before it changes anything.
        """
        if isinstance(reply, driver.NoScriptError):
            [reply] = yield packed_commands([call.command(whole=True)]), 1
            if not isinstance(reply, driver.ResponseError):
                return reply
        error = refusals.translated(reply)
        if self._is_cluster and refusals.is_elsewhere(reply):
            error = QueueRefused("Redis refuses (MOVED): another node of its cluster has the queues now")
        if isinstance(error, QueueRefused):
            raise error from reply
        spoilt = (yield from self._spoilt_key(call)) if "WRONGTYPE " in str(error) else None
        return spoilt or error

    def _spoilt_key(self, call: Call) -> Generator[Saying, list[Any], SpoiltKey | None]:
        """The error for the first key of ``call`` that has a wrong type, or ``None`` if all types are right.

        Redis' own error does not name the key.
        """
        types = yield packed_commands([("TYPE", key) for key in call.keys]), len(call.keys)
        for key, found in zip(call.keys, types, strict=True):
            name = decode.text(key) if isinstance(key, bytes) else key
            wanted = self.keys.type_of(name)
            if isinstance(found, bytes) and wanted and found.decode() not in (wanted, "none"):
                return SpoiltKey(name, found.decode(), wanted)
        return None


class Tries:
    """The tries of one round trip: decides whether it is repeated after a failed try."""

    __slots__ = ("_began", "_calls", "_give_up", "_session", "_tried", "_waiting", "_was_lost")

    def __init__(self, session: SessionBase, calls: Sequence[Call]) -> None:
        """Raises ``QueueUnavailable`` as ``SessionBase._seconds_left`` does."""
        self._session, self._calls, self._waiting = session, calls, deadline.current()
        self._began = time.monotonic()
        self._give_up = self._began + session._seconds_left(self._waiting, self._began)
        self._tried, self._was_lost = 0, False

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the deadline of the request, or ``None`` without a deadline."""
        return self._give_up - time.monotonic() if self._waiting else None

    def pause_after(self, error: QueueUnavailable) -> float:
        """The seconds to wait before the next try.

        If the call must not be repeated, raises ``error``, or ``ReplyLost`` if an earlier try may have run.
        """
        self._tried += 1
        self._was_lost |= isinstance(error, ReplyLost)
        pause: float = random.uniform(0.01, 0.05) * 2**self._tried
        if (
            self._tried < self._session.TRIES
            and time.monotonic() + pause <= self._give_up
            and (not isinstance(error, ReplyLost) or all(call.repeatable for call in self._calls))
            and not (isinstance(error, QueueRefused) and error.is_lasting)
        ):
            return pause
        self._session._give_up(self._waiting, self._began, error)
        if self._was_lost and not isinstance(error, ReplyLost):
            # An earlier try may have run, so this error must not report that nothing changed.
            lost = ReplyLost(f"{error} (the reply of an earlier try was lost)")
            raise self._session.named(lost) from error
        raise self._session.named(error)


def checked(reply: list[Any]) -> list[Any]:
    """Remove the first item of a reply, ``ok``. If the item is the name of an error, raise this error."""
    if reply[0] == b"ok":
        return reply[1:]
    raise _BY_NAME[reply[0]]()


def has_moved(reply: Any) -> bool:
    return isinstance(reply, list) and reply[0] == MOVED


def packed_calls(calls: Sequence[Call]) -> list[bytes]:
    """Encode calls in Redis' protocol, joined to one piece of bytes, so that they are sent in one write."""
    pieces = [call.packed or _packed_command(call.command(whole=False)) for call in calls]
    return pieces if len(pieces) == 1 else [b"".join(pieces)]


def packed_commands(commands: Sequence[tuple[Any, ...]]) -> list[bytes]:
    """Encode commands in Redis' protocol, joined to one piece of bytes."""
    return [b"".join(map(_packed_command, commands))]


def _packed_command(command: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = pack_command(command)
    except UnicodeEncodeError:
        # Names and ids of other programs need not be UTF-8.
        command = tuple(encode(part) if isinstance(part, str) else part for part in command)
        packed = pack_command(command)
    return packed
