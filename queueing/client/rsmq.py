"""RSMQ's ten methods, and methods that send, receive and delete many messages at a time."""

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

#: The longest wait of one ``receive_messages`` call.
MAX_WAIT_SECONDS = 3600

#: A message by its id, or a received message. The latter is changed only if its receipt is still valid.
Named = str | Message
#: The id and the receive count of one delivery. ``None`` stands for any delivery.
Receipt = tuple[str, int | None]


class RSMQClient:
    """A client for the queues of one namespace on one Redis, with the methods of RSMQ.

    Threads and forks may share a client, before and after its first call. Each process has its own
    connections, sender numbers and listener. Every method raises ``QueueUnavailable`` if Redis is away.

    A receipt is the id and the receive count of one delivery. It is invalid after another receiver has
    received the message, and after the message is deleted. A call with an invalid receipt changes nothing.
    """

    def __init__(self, redis: Redis, ns: str = "rsmq", *, durable: int = 0) -> None:
        """``durable``: replicas that must confirm a send (the setting ``DURABLE``)."""
        self.session, self.durable = Session(redis, ns), durable
        self.redis, self.keys = redis, self.session.keys
        self._senders = Senders()
        self._wakeups = ProcessState(lambda: WakeUps(redis))

    @property
    def wakeups(self) -> WakeUps:
        """The listener for the waiting threads of this process."""
        return self._wakeups.get()

    def ping(self) -> None:
        """Check that Redis answers and accepts writes. Raises ``QueueUnavailable``."""
        self.session.call(Call("ping", [self.keys.never(), self.keys.queues()]))

    def now_ms(self) -> int:
        """The ms since 1970 by Redis' clock. Raises ``QueueUnavailable``."""
        return int(self.session.call(Call("now", [self.keys.queues()])))

    # --- queues -------------------------------------------------------------------------------

    def create_queue(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> int:
        """Create a queue, as RSMQ's createQueue. Returns 1.

        ``vt`` (default 30) and ``delay`` (default 0) are seconds. ``maxsize`` (default 65536) is a length in
        UTF-16 code units, -1 for unlimited. Raises ``QueueExists``, ``MissingParameter``, ``InvalidFormat``,
        ``InvalidValue``.
        """
        qname = rsmq_values.qname(qname)
        vt = rsmq_values.seconds(30 if vt is None else vt, "vt")
        delay = rsmq_values.seconds(0 if delay is None else delay, "delay")
        maxsize = rsmq_values.maxsize(65536 if maxsize is None else maxsize)
        keys = self.session.queue_keys(qname)
        checked(self.session.call(Call("create_queue", keys, qname, vt, delay, maxsize)))
        return 1

    def list_queues(self) -> list[str]:
        """The names in the index of queues, unordered, as RSMQ's listQueues.

        If another program has spoilt the index, the queues are found by their keys.
        """
        try:
            names = self.session.call(Call("list_queues", [self.keys.queues()]))
        except SpoiltKey:
            return sweep.find_queues(self.session)
        return [decode.text(name) for name in names]

    def delete_queue(self, qname: str) -> int:
        """Delete a queue and its messages, as RSMQ's deleteQueue. Returns 1. Raises ``QueueNotFound``."""
        qname = rsmq_values.qname(qname)
        keys = self.keys.of_whole_queue(qname, self.session.dead_letter_queue(qname))
        checked(self.session.call(Call("delete_queue", keys, qname)))
        return 1

    def get_queue_attributes(self, qname: str) -> QueueAttributes:
        """The attributes of a queue, as RSMQ's getQueueAttributes. Raises ``QueueNotFound``."""
        return self._attributes(rsmq_values.qname(qname))

    def set_queue_attributes(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> QueueAttributes:
        """Set the attributes that are not ``None``, as RSMQ's setQueueAttributes. Returns all nine.

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
        """Send a message, as RSMQ's sendMessage. Returns its id.

        ``delay`` is in seconds, ``None`` for that of the queue. The other options are those of ``Draft``. A
        call that is repeated after a lost reply does not send twice. Raises ``QueueNotFound``,
        ``InvalidValue``, ``MessageNotString``, ``MessageTooLong``, ``QueueFull``,
        ``NotReplicated``.
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
        """Send any number of texts or ``Draft``s in order. Returns the ids in the same order.

        ``delay`` (seconds) applies to messages without a time of their own. Raises the errors of
        ``send_message``. An error in the parameters is raised before the first send. Messages are sent in
        limited steps, so other errors may occur after some messages were sent.
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
            # RSMQ checks the queue before it checks the other parameters.
            self._attributes(qname)
            raise
        return qname, drafts.complete(qname, messages), seconds

    def _send(self, qname: str, messages: Sequence[str | Draft], delay: int | str) -> list[str]:
        sending = self._senders.next_call(len(messages))
        call = drafts.put(
            "send", self.keys, qname, messages,
            tails=sending.tails, key=self.keys.sender(sending.token),
            own=(sending.number, sending.REMEMBERED_MS), delay=delay,
        )  # fmt: skip
        first_us, *sent_before = checked(self.session.call(call, replicas=self.durable))
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
        """Receive the next due message, as RSMQ's receiveMessage. Returns ``None`` if none is due.

        The message is hidden for ``vt`` seconds, ``None`` for that of the queue. Raises ``QueueNotFound``,
        ``InvalidValue``, and ``ReplyLost`` if a message may have been received: it is due again after ``vt``.
        """
        messages, _ = self._take("receive", *self._receivable(qname, vt), 1)
        return messages[0] if messages else None

    def receive_messages(
        self, qname: str, count: int = 10, *, vt: int | None = None, wait_seconds: float = 0
    ) -> list[Message]:
        """Receive up to ``count`` due messages in order. Each is hidden for ``vt`` seconds.

        If none is due, the call waits up to ``wait_seconds`` for the first. It receives a message as soon as
        this package sends it or it becomes due. Other programs may not announce what they send: the next
        poll finds such a message. Raises the errors of ``receive_message``.
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
        """Receive and delete the next due message, as RSMQ's popMessage. Returns ``None`` if none is due.

        Raises ``QueueNotFound``, and ``ReplyLost`` if a message may have been received: it is then lost.
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
                # Return the messages that were received so far. The next call raises the error again.
                if messages:
                    break
                raise
            messages += taken
            if not taken:
                break
        return messages, due_in_seconds

    def _take(self, script: str, qname: str, vt: int | str, count: int) -> tuple[list[Message], float]:
        """The received messages, and the seconds until the next one is due if there are none."""
        call = QueueCall(script, [qname], self.keys.of_receive, vt, count, BATCH_BYTES, repeatable=False)
        while True:
            try:
                now_ms, next_due_ms, *fields = checked(self.session.call(call))
            except ReplyLost as error:
                raise ReplyLost(f"{error}; one message may have been taken") from error
            due_ms = decode.integer(next_due_ms)
            # A message is due, but the script found many dead letters first and let other clients continue.
            if fields or due_ms != int(now_ms):
                break
        wait_seconds = (due_ms - int(now_ms)) / 1000 if due_ms else float("inf")
        return replies.messages(fields), max(0.0, wait_seconds)

    # --- deletion and visibility --------------------------------------------------------------

    def delete_message(self, qname: str, id: str, *, rc: int | None = None) -> int:
        """Delete a message, as RSMQ's deleteMessage. With ``rc``, only if the receipt is still valid.

        Returns 1, or 0 if nothing was deleted. After a lost reply the call is repeated, so 0 can also mean
        that the first try deleted the message.
        """
        return self._delete(rsmq_values.qname(qname), [(rsmq_values.message_id(id), rc)])[0]

    def delete_messages(self, qname: str, messages: Iterable[Named]) -> list[int]:
        """Delete messages by id, or by receipt if a ``Message`` is given. Returns 1 or 0 for each."""
        qname = rsmq_values.qname(qname)
        return [done for step in _steps(messages) for done in self._delete(qname, step)]

    def change_message_visibility(self, qname: str, id: str, vt: int, *, rc: int | None = None) -> int:
        """Make a message due in ``vt`` seconds from now, as RSMQ's changeMessageVisibility.

        With ``rc``, only if the receipt is still valid. Returns 1, or 0 if nothing was changed. Raises
        ``QueueNotFound``, ``InvalidValue``.
        """
        qname, id = rsmq_values.qname(qname), rsmq_values.message_id(id)
        return self._change(qname, [(id, rc)], rsmq_values.seconds(vt, "vt"))[0]

    def change_visibilities(self, qname: str, messages: Iterable[Named], vt: int) -> list[int]:
        """Make messages due in ``vt`` seconds, by id or by receipt. Returns 1 or 0 for each.

        Raises ``QueueNotFound``, ``InvalidValue``.
        """
        qname, vt = rsmq_values.qname(qname), rsmq_values.seconds(vt, "vt")
        return [done for step in _steps(messages) for done in self._change(qname, step, vt)]

    def release_message(self, qname: str, message: Message) -> int:
        """Return a received message to the head of its queue, ready now and not counted as received.

        Returns 1, or 0 if its receipt is not valid any more. Raises ``QueueNotFound``.
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
