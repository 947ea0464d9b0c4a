"""RSMQ's ten methods, and sending, receiving and deleting many messages at a time."""

import time
from collections.abc import Iterable, Mapping, Sequence

from redis import Redis

from queueing.broker import decode, replies, rsmq_values
from queueing.broker.idempotency import Senders
from queueing.broker.pubsub import POLL_SECONDS, WakeUps
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session, checked
from queueing.exceptions import NoAttributeSupplied, QueueError, ReplyLost, SpoiltKey
from queueing.messages import Draft, Message, QueueAttributes
from queueing.resilience.process_state import ProcessState
from queueing.signals import emit, message_sent

from . import drafts, sweep
from .drafts import BATCH, BATCH_BYTES

#: The longest wait of one call.
MAX_WAIT_SECONDS = 3600

#: The id of a message, or a received message, which is changed only if its receipt still fits.
Named = str | Message
#: The id and the receive count of one delivery; ``None``: of any.
Receipt = tuple[str, int | None]


class RSMQClient:
    """The queues of one namespace on one Redis, with the methods of RSMQ.

    Threads and forks may share it, before and after its first call: each process has connections,
    senders' numbers and a listener of its own. Every method raises ``QueueUnavailable`` if Redis is
    away.

    A receipt is the id and the receive count of one delivery. Once another receiver has the message,
    or it is gone, the receipt does not fit any more, and nothing is changed.
    """

    def __init__(self, redis: Redis, ns: str = "rsmq") -> None:
        self.session = Session(redis, ns)
        self.redis, self.keys = redis, self.session.keys
        self._senders = Senders()
        self._wakeups = ProcessState(lambda: WakeUps(redis))

    @property
    def wakeups(self) -> WakeUps:
        """The listener of those threads of this process that wait."""
        return self._wakeups.get()

    def ping(self) -> None:
        """Return if Redis takes writes. Raises ``QueueUnavailable``."""
        self.session.call(Call("ping", [self.keys.never(), self.keys.queues()]))

    def now_ms(self) -> int:
        """The ms epoch by the server's clock. Raises ``QueueUnavailable``."""
        return int(self.session.call(Call("now", [self.keys.queues()])))

    # --- queues -------------------------------------------------------------------------------

    def create_queue(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> int:
        """RSMQ's createQueue: 1, or ``QueueExists``.

        ``vt`` (30) and ``delay`` (0) in seconds, ``maxsize`` (65536) in UTF-16 units, -1: unlimited.
        Raises ``MissingParameter``, ``InvalidFormat``, ``InvalidValue``.
        """
        qname = rsmq_values.qname(qname)
        vt = rsmq_values.seconds(30 if vt is None else vt, "vt")
        delay = rsmq_values.seconds(0 if delay is None else delay, "delay")
        maxsize = rsmq_values.maxsize(65536 if maxsize is None else maxsize)
        keys = self.session.queue_keys(qname)
        checked(self.session.call(Call("create_queue", keys, qname, vt, delay, maxsize)))
        return 1

    def list_queues(self) -> list[str]:
        """RSMQ's listQueues: the names in its index, unordered.

        If the index is not a set, the queues are found by their keys.
        """
        try:
            names = self.session.call(Call("list_queues", [self.keys.queues()]))
        except SpoiltKey:
            return sweep.find_queues(self.session)
        return [decode.text(name) for name in names]

    def delete_queue(self, qname: str) -> int:
        """RSMQ's deleteQueue: 1, or ``QueueNotFound``. All its messages are deleted, too."""
        qname = rsmq_values.qname(qname)
        keys = self.keys.of_whole_queue(qname, self.session.dead_letter_queue(qname))
        checked(self.session.call(Call("delete_queue", keys, qname)))
        return 1

    def get_queue_attributes(self, qname: str) -> QueueAttributes:
        """RSMQ's getQueueAttributes, or ``QueueNotFound``."""
        return self._attributes(rsmq_values.qname(qname))

    def set_queue_attributes(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> QueueAttributes:
        """RSMQ's setQueueAttributes: what is not ``None`` is set; all nine are returned.

        Raises ``NoAttributeSupplied`` (checked first), ``InvalidValue``, ``QueueNotFound``.
        """
        if vt is None and delay is None and maxsize is None:
            raise NoAttributeSupplied
        qname = rsmq_values.qname(qname)
        pairs: list[str | int] = []
        if vt is not None:
            pairs += ["vt", rsmq_values.seconds(vt, "vt")]
        if maxsize is not None:
            pairs += ["maxsize", rsmq_values.maxsize(maxsize)]
        if delay is not None:
            pairs += ["delay", rsmq_values.seconds(delay, "delay")]
        call = Call("set_attributes", self.session.queue_keys(qname), *pairs)
        return replies.attributes(checked(self.session.call(call)))

    def _attributes(self, qname: str) -> QueueAttributes:
        call = Call("attributes", self.session.queue_keys(qname))
        return replies.attributes(checked(self.session.call(call)))

    # --- sending ------------------------------------------------------------------------------

    def send_message(
        self,
        qname: str,
        message: str,
        *,
        delay: int | None = None,
        delay_ms: int | None = None,
        due_ms: int | None = None,
        headers: Mapping[str, str] | None = None,
        deduplication_id: str | None = None,
        deduplication_seconds: int = 300,
    ) -> str:
        """RSMQ's sendMessage: the id. ``delay`` in seconds, ``None``: the queue's own.

        The others are those of ``Draft``. Raises ``QueueNotFound``, ``InvalidValue``,
        ``MessageNotString``, ``MessageTooLong``, ``QueueFull``. A repeat after a lost reply sends
        nothing twice.
        """
        draft: str | Draft = message
        if not (delay_ms is None and due_ms is None and headers is None and deduplication_id is None):
            draft = Draft(
                body=message,
                delay_ms=delay_ms,
                due_ms=due_ms,
                headers=headers or {},
                deduplication_id=deduplication_id,
                deduplication_seconds=deduplication_seconds,
            )
        return self._send(*self._sendable(qname, [draft], delay))[0]

    def send_messages(
        self, qname: str, messages: Sequence[str | Draft], *, delay: int | None = None
    ) -> list[str]:
        """Send any number of texts or ``Draft``s in their order; the ids in the same order.

        ``delay`` in seconds is for all that name no time of their own. Raises what ``send_message``
        does, before anything is sent if the fault is in the parameters; they are sent in bounded
        steps, so any other error may come after some were sent.
        """
        qname, messages, seconds = self._sendable(qname, messages, delay)
        if len(messages) == 1:
            return self._send(qname, messages, seconds)
        return [id for step in drafts.steps(messages) for id in self._send(qname, step, seconds)]

    def _sendable(
        self, qname: str, messages: Sequence[str | Draft], delay: int | None
    ) -> tuple[str, Sequence[str | Draft], int | str]:
        qname = rsmq_values.qname(qname)
        try:
            seconds = "" if delay is None else rsmq_values.seconds(delay, "delay")
            for message in messages:
                if not isinstance(message, str):
                    drafts.check(message)
        except QueueError:
            # RSMQ looks for the queue before it looks at the other parameters.
            self._attributes(qname)
            raise
        return qname, messages, seconds

    def _send(self, qname: str, messages: Sequence[str | Draft], delay: int | str) -> list[str]:
        sending = self._senders.next_call(len(messages))
        call = drafts.put(
            "send", self.keys, qname, messages,
            tails=sending.tails, key=self.keys.sender(sending.token),
            own=(sending.number, sending.REMEMBERED_MS), delay=delay,
        )  # fmt: skip
        first_us, *sent_before = checked(self.session.call(call))
        self._senders.answered(sending)
        ids = sending.ids(int(first_us))
        for index, message in enumerate(messages):
            if isinstance(message, Draft) and message.id:
                ids[index] = message.id
        for index, id in zip(sent_before[::2], sent_before[1::2], strict=True):
            ids[index - 1] = id.decode()
        if message_sent.receivers:
            emit(message_sent, type(self), queue=qname, ids=ids, messages=messages)
        return ids

    # --- receiving ----------------------------------------------------------------------------

    def receive_message(self, qname: str, *, vt: int | None = None) -> Message | None:
        """RSMQ's receiveMessage: the next due message, hidden for ``vt`` seconds, or ``None``.

        ``vt=None``: the queue's own. Raises ``QueueNotFound``, ``InvalidValue``, and ``ReplyLost``
        if a message may have been taken: it comes back after its ``vt``.
        """
        messages, _ = self._take("receive", *self._receivable(qname, vt), 1)
        return messages[0] if messages else None

    def receive_messages(
        self, qname: str, count: int = 10, *, vt: int | None = None, wait_seconds: float = 0
    ) -> list[Message]:
        """Up to ``count`` due messages in their order, each hidden for ``vt`` seconds.

        If none is due it waits up to ``wait_seconds`` for the first. One that is sent by this package or
        comes due is received immediately, one that another program sends without announcing it within
        the poll interval. Raises what ``receive_message`` does.
        """
        qname, seconds = self._receivable(qname, vt)
        if not (isinstance(count, int) and count >= 1):
            raise QueueError("count must be a whole number from 1.")
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            raise QueueError(f"wait_seconds must be between 0 and {MAX_WAIT_SECONDS}.")
        messages, due_in_seconds = self._take_many(qname, seconds, count)
        if messages or not wait_seconds:
            return messages
        deadline = time.monotonic() + wait_seconds
        with self.wakeups.of(self.keys.channel(qname)) as wakeup:
            while not messages:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                wakeup.wait(min(remaining, due_in_seconds, POLL_SECONDS))
                messages, due_in_seconds = self._take_many(qname, seconds, count)
        return messages

    def pop_message(self, qname: str) -> Message | None:
        """RSMQ's popMessage: the next due message, deleted as it is taken, or ``None``.

        Raises ``QueueNotFound``, and ``ReplyLost`` if one message may have been taken: then it is
        gone.
        """
        messages, _ = self._take("pop", rsmq_values.qname(qname), "", 1)
        return messages[0] if messages else None

    def _receivable(self, qname: str, vt: int | None) -> tuple[str, int | str]:
        qname = rsmq_values.qname(qname)
        try:
            return qname, "" if vt is None else rsmq_values.seconds(vt, "vt")
        except QueueError:
            self._attributes(qname)  # as for a send
            raise

    def _take_many(self, qname: str, vt: int | str, count: int) -> tuple[list[Message], float]:
        messages: list[Message] = []
        due_in_seconds = float("inf")
        for start in range(0, count, BATCH):
            try:
                taken, due_in_seconds = self._take("receive", qname, vt, min(BATCH, count - start))
            except QueueError:
                # The caller gets the messages that were taken already. The error will come again.
                if messages:
                    break
                raise
            messages += taken
            if not taken:
                break
        return messages, due_in_seconds

    def _take(self, script: str, qname: str, vt: int | str, count: int) -> tuple[list[Message], float]:
        """The messages, and in how many seconds the next one comes due if there are none."""
        call = QueueCall(script, [qname], self.keys.of_waking, vt, count, BATCH_BYTES, repeatable=False)
        while True:
            try:
                now_ms, next_due_ms, *fields = checked(self.session.call(call))
            except ReplyLost as error:
                raise ReplyLost(f"{error}; one message may have been taken") from error
            due_ms = decode.integer(next_due_ms)
            # No message although one is due: the script met so many dead letters that it let others go on.
            if fields or due_ms != int(now_ms):
                break
        wait_seconds = (due_ms - int(now_ms)) / 1000 if due_ms else float("inf")
        return replies.messages(fields), max(0.0, wait_seconds)

    # --- deleting and postponing --------------------------------------------------------------

    def delete_message(self, qname: str, id: str, *, rc: int | None = None) -> int:
        """RSMQ's deleteMessage: 1, or 0 if there is none or the receipt ``id``, ``rc`` does not fit.

        After a lost reply it is repeated, so 0 may have been 1.
        """
        return self._delete(rsmq_values.qname(qname), [(rsmq_values.message_id(id), rc)])[0]

    def delete_messages(self, qname: str, messages: Iterable[Named]) -> list[int]:
        """Delete any number, by id or by receipt (a ``Message`` as it was received): 1 or 0 for each."""
        qname = rsmq_values.qname(qname)
        return [done for step in _steps(messages) for done in self._delete(qname, step)]

    def change_message_visibility(self, qname: str, id: str, vt: int, *, rc: int | None = None) -> int:
        """RSMQ's changeMessageVisibility: receivable again in ``vt`` seconds from now.

        1, or 0 if there is none or the receipt does not fit. Raises ``QueueNotFound``,
        ``InvalidValue``.
        """
        qname, id = rsmq_values.qname(qname), rsmq_values.message_id(id)
        return self._change(qname, [(id, rc)], rsmq_values.seconds(vt, "vt"))[0]

    def change_visibilities(self, qname: str, messages: Iterable[Named], vt: int) -> list[int]:
        """The same for any number, by id or by receipt: 1 or 0 for each."""
        qname, vt = rsmq_values.qname(qname), rsmq_values.seconds(vt, "vt")
        return [done for step in _steps(messages) for done in self._change(qname, step, vt)]

    def release_message(self, qname: str, message: Message) -> int:
        """Give a received message back: ready now, at the head, and not counted as received.

        1, or 0 if its receipt does not fit.
        """
        return self._change(rsmq_values.qname(qname), [(message.id, message.rc)], "release")[0]

    def _delete(self, qname: str, receipts: Sequence[Receipt]) -> list[int]:
        call = Call("delete", self.session.queue_keys(qname), *_flat(receipts))
        done: list[int] = self.session.call(call)
        return done

    def _change(self, qname: str, receipts: Sequence[Receipt], vt: int | str) -> list[int]:
        keys = self.keys.of_waking(qname, self.session.dead_letter_queue(qname))
        call = Call("change_visibility", keys, vt, self.keys.channel(qname), *_flat(receipts))
        return checked(self.session.call(call))


def _steps(messages: Iterable[Named]) -> list[list[Receipt]]:
    receipts: list[Receipt] = [
        (message.id, message.rc) if isinstance(message, Message) else (rsmq_values.message_id(message), None)
        for message in messages
    ]
    return [receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)]


def _flat(receipts: Sequence[Receipt]) -> list[str | int]:
    return [part for id, rc in receipts for part in (id, "" if rc is None else rc)]
