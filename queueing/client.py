"""RSMQ's methods in Python, on the same Redis layout, each one script and one round trip.

Parameters, defaults, results, the order of checks and the error texts are those of the npm package
``rsmq`` 0.12.4. Where RSMQ has a defect (a ghost message after a deletion, a repeated send, a
phantom delivered for ever), ours does better without leaving the layout.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis import exceptions as driver

from . import validation
from .exceptions import (
    MessageNotString,
    MessageTooLong,
    NoAttributeSupplied,
    QueueError,
    QueueExists,
    QueueNotFound,
    QueueUnavailable,
    ReplyLost,
)
from .keys import Keys, dead_letter_queue
from .messages import Message, PeekedMessage, QueueAttributes, QueueFigures, sent_ms
from .scripts import Call, ScriptRunner
from .senders import Senders

#: Messages per script call: Lua's stack and everybody else's waiting time are bounded.
BATCH = 1000
#: Bytes of bodies per script call.
BATCH_BYTES = 1_000_000

_BY_NAME = {error.name: error for error in (QueueNotFound, QueueExists, MessageTooLong)}


class QueueClient:
    """The queues of one namespace on one Redis.

    Safe to share between threads; it keeps no state but the senders' numbers. Every method raises
    ``QueueUnavailable`` where Redis is away.
    """

    def __init__(self, redis: Redis, ns: str = "rsmq") -> None:
        self.redis = redis
        self.keys = Keys(ns)
        self.scripts = ScriptRunner(redis)
        self._senders = Senders()

    # --- queues -------------------------------------------------------------------------------

    def create_queue(self, qname: str, *, vt: Any = None, delay: Any = None, maxsize: Any = None) -> int:
        """RSMQ's createQueue: 1, or ``QueueExists``.

        ``vt`` (30) and ``delay`` (0) in seconds, ``maxsize`` (65536) in UTF-16 units, -1: unlimited.
        """
        qname = validation.qname(qname)
        vt = validation.seconds(30 if vt is None else vt, "vt")
        delay = validation.seconds(0 if delay is None else delay, "delay")
        maxsize = validation.maxsize(65536 if maxsize is None else maxsize)
        keys = [*self._own(qname), self.keys.queues()]
        _checked(self.scripts.run("create_queue", keys, qname, vt, delay, maxsize))
        return 1

    def list_queues(self) -> list[str]:
        """RSMQ's listQueues: the names in its index, unordered."""
        names = self.scripts.run("list_queues", [self.keys.queues()])
        return [validation.decode(name) for name in names]

    def delete_queue(self, qname: str) -> int:
        """RSMQ's deleteQueue: 1, or ``QueueNotFound``. All its messages go with it."""
        qname = validation.qname(qname)
        keys = [*self._own(qname), self.keys.queues()]
        keys += [self.keys.ends(qname), self.keys.leases(qname), self.keys.held()]
        _checked(self.scripts.run("delete_queue", keys, qname))
        return 1

    def get_queue_attributes(self, qname: str) -> QueueAttributes:
        """RSMQ's getQueueAttributes, or ``QueueNotFound``."""
        reply = _checked(self.scripts.run("attributes", self._own(validation.qname(qname))))
        return _attributes(reply)

    def set_queue_attributes(
        self, qname: str, *, vt: Any = None, delay: Any = None, maxsize: Any = None
    ) -> QueueAttributes:
        """RSMQ's setQueueAttributes: what is not ``None`` is set; all nine are returned.

        Raises ``NoAttributeSupplied`` (checked first), ``InvalidValue``, ``QueueNotFound``.
        """
        if vt is None and delay is None and maxsize is None:
            raise NoAttributeSupplied
        qname = validation.qname(qname)
        pairs: list[Any] = []
        if vt is not None:
            pairs += ["vt", validation.seconds(vt, "vt")]
        if maxsize is not None:
            pairs += ["maxsize", validation.maxsize(maxsize)]
        if delay is not None:
            pairs += ["delay", validation.seconds(delay, "delay")]
        return _attributes(_checked(self.scripts.run("set_attributes", self._own(qname), *pairs)))

    # --- messages -----------------------------------------------------------------------------

    def send_message(self, qname: str, message: str, *, delay: Any = None) -> str:
        """RSMQ's sendMessage: the id. ``delay`` in seconds, ``None``: the queue's own.

        Raises ``QueueNotFound``, ``InvalidValue``, ``MessageNotString``, ``MessageTooLong``,
        ``QueueFull``. A repeat after a lost reply sends nothing twice.
        """
        return self.send_messages(qname, [message], delay=delay)[0]

    def send_messages(self, qname: str, messages: Sequence[str], *, delay: Any = None) -> list[str]:
        """Send any number of messages in their order; the ids in the same order.

        Takes and raises what ``send_message`` does. They are sent in bounded steps, so an error may
        come after some were sent.
        """
        qname = validation.qname(qname)
        with self._queue_found_first(qname):
            delay = "" if delay is None else validation.seconds(delay, "delay")
            for message in messages:
                if not isinstance(message, str):
                    raise MessageNotString
        ids: list[str] = []
        for step in _steps(messages):
            ids += self._send_step(qname, step, delay)
        return ids

    def receive_message(self, qname: str, *, vt: Any = None) -> Message | None:
        """RSMQ's receiveMessage: the next due message, hidden for ``vt`` seconds, or ``None``.

        Raises ``ReplyLost`` where a message may have been taken: it comes back after its ``vt``.
        """
        qname = validation.qname(qname)
        with self._queue_found_first(qname):
            vt = "" if vt is None else validation.seconds(vt, "vt")
        return self._take("receive", qname, vt)

    def pop_message(self, qname: str) -> Message | None:
        """RSMQ's popMessage: the next due message, deleted as it is taken, or ``None``.

        Raises ``ReplyLost`` where one message may have been taken: then it is gone.
        """
        return self._take("pop", validation.qname(qname))

    def delete_message(self, qname: str, id: str) -> int:
        """RSMQ's deleteMessage: 1, or 0 where there is none. After a lost reply it is repeated, so
        0 may have been 1."""
        qname, id = validation.qname(qname), validation.message_id(id)
        return self.scripts.run("delete", [*self._own(qname), self.keys.ends(qname)], id)

    def change_message_visibility(self, qname: str, id: str, vt: Any) -> int:
        """RSMQ's changeMessageVisibility: receivable again in ``vt`` seconds. 1, or 0: no such id."""
        qname, id = validation.qname(qname), validation.message_id(id)
        vt = validation.seconds(vt, "vt")
        return _checked(self.scripts.run("change_visibility", self._own(qname), id, vt))[0]

    # --- beyond RSMQ --------------------------------------------------------------------------

    def queue_figures(self, qnames: Sequence[str] | None = None) -> list[QueueFigures]:
        """The figures of these queues (``None``: of all), by name; what is no queue is left out."""
        names = sorted(set(self.list_queues() if qnames is None else qnames))
        if not names:
            return []
        # Another program's names need not be any that we would take.
        calls = [
            Call("figures", [validation.encode(key) for key in self._figure_keys(name)]) for name in names
        ]
        replies = zip(names, self.scripts.run_all(calls), strict=True)
        return [_figures(name, reply) for name, reply in replies if reply[0] == b"ok"]

    def peek_messages(self, qname: str, *, count: int = 20, newest: bool = False) -> list[PeekedMessage]:
        """Up to ``count`` (at most 1000) messages in delivery order, or from its end, not received.

        Raises ``QueueNotFound``.
        """
        count = max(1, min(count, BATCH))
        return self._peek(qname, count, "last" if newest else "first", "")

    def peek_message(self, qname: str, id: str) -> PeekedMessage | None:
        """The message of that id as it lies in the queue, or ``None``. Raises ``QueueNotFound``."""
        found = self._peek(qname, 1, "id", validation.message_id(id))
        return found[0] if found else None

    def count_hit(self, name: str, window_seconds: int) -> int:
        """Count one more ``name``; how many there were in the window that the first one began."""
        return self.scripts.run("hit", [self.keys.hits(name)], window_seconds * 1000)

    def ping(self) -> None:
        """Nothing, or ``QueueUnavailable``."""
        self.scripts.run("ping", [self.keys.queues()])

    def eviction_policy(self) -> str | None:
        """Redis' maxmemory-policy, or ``None`` where it does not tell."""
        try:
            return self.redis.info("memory").get("maxmemory_policy")
        except driver.ResponseError:
            return None
        except driver.RedisError as error:
            raise QueueUnavailable(f"Redis does not answer ({type(error).__name__})") from error

    def beat(self, worker: str, record: str) -> None:
        """Note that ``worker`` is alive, with a JSON text about it, at the server's time."""
        self.scripts.run("beat", [self.keys.workers()], worker, record)

    def forget_worker(self, worker: str) -> None:
        """Strike a worker that has left from the list of the living."""
        self.scripts.run("forget_worker", [self.keys.workers()], worker)

    # --- inside -------------------------------------------------------------------------------

    def _own(self, qname: str) -> list[str]:
        return [self.keys.attributes(qname), self.keys.schedule(qname)]

    def _figure_keys(self, qname: str) -> list[str]:
        dead = self.keys.schedule(dead_letter_queue(qname))
        return [*self._own(qname), self.keys.leases(qname), self.keys.held(), dead]

    def _queue_found_first(self, qname: str) -> "_QueueFoundFirst":
        return _QueueFoundFirst(self, qname)

    def _send_step(self, qname: str, messages: Sequence[str], delay: Any) -> list[str]:
        keys = [*self._own(qname)]
        with self._senders.call(len(messages)) as call:
            args = [call.number, self.keys.channel(qname), delay, call.REMEMBERED_MS]
            for tail, message in zip(call.tails, messages, strict=True):
                args += [tail, validation.utf16_units(message), validation.encode(message)]
            reply = self.scripts.run("send", [*keys, self.keys.sender(call.token)], *args)
            return call.ids(int(_checked(reply)[0]))

    def _take(self, script: str, qname: str, *args: Any) -> Message | None:
        try:
            reply = _checked(self.scripts.run(script, self._own(qname), *args, repeatable=False))
        except ReplyLost as error:
            raise ReplyLost(f"{error}; one message may have been taken") from error
        return _message(*reply) if reply else None

    def _peek(self, qname: str, count: int, which: str, id: str) -> list[PeekedMessage]:
        qname = validation.qname(qname)
        keys = [*self._own(qname), self.keys.leases(qname), self.keys.held(), self.keys.ends(qname)]
        found = _checked(self.scripts.run("peek", keys, count, which, id))
        return [_peeked(*fields) for fields in found]


class _QueueFoundFirst:
    """RSMQ looks for the queue before it looks at the other parameters: so does an error of ours."""

    def __init__(self, client: QueueClient, qname: str) -> None:
        self.client, self.qname = client, qname

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, QueueError):
            self.client.get_queue_attributes(self.qname)


def _steps(messages: Sequence[str]) -> list[list[str]]:
    """Cut into bounded steps, by number and by bytes (a character may take four)."""
    steps: list[list[str]] = []
    room = 0
    for message in messages:
        if not steps or len(steps[-1]) == BATCH or room < len(message):
            steps.append([])
            room = BATCH_BYTES
        steps[-1].append(message)
        room -= len(message)
    return steps


def _checked(reply: list[Any]) -> list[Any]:
    name = reply[0].decode()
    if name == "ok":
        return reply[1:]
    raise _BY_NAME[name]()


def _attributes(reply: Sequence[Any]) -> QueueAttributes:
    return QueueAttributes(*(validation.stored_int(value) for value in reply[:9]))


def _figures(name: str, reply: Sequence[Any]) -> QueueFigures:
    attributes = _attributes(reply[1:10])
    ready, running, dead, waiting_ms = (int(value) for value in reply[10:14])
    delayed = max(0, attributes.msgs - ready - running)
    return QueueFigures(name, attributes, ready, delayed, running, dead, waiting_ms / 1000)


def _message(id: bytes, body: bytes, rc: Any, fr: Any) -> Message:
    text = validation.decode(id)
    return Message(
        text, validation.decode(body), validation.stored_int(rc), validation.stored_int(fr), sent_ms(text)
    )


def _peeked(id: bytes, body: bytes, rc: Any, due_ms: Any, state: bytes) -> PeekedMessage:
    text = validation.decode(id)
    return PeekedMessage(
        text, validation.decode(body), validation.stored_int(rc), int(due_ms), sent_ms(text), state.decode()
    )
