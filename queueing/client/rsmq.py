"""RSMQ's methods for queues, sends and receives, and methods that send and receive many messages."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from queueing.broker import decode, replies, rsmq_values
from queueing.broker.idempotency import SendCall
from queueing.broker.pubsub import POLL_SECONDS
from queueing.broker.scripts import Call
from queueing.broker.session import checked
from queueing.exceptions import NoAttributeSupplied, QueueError, ReplyLost, SpoiltKey
from queueing.messages import Draft, Message, QueueAttributes
from queueing.signals import message_sent

from . import drafts, sweep
from .drafts import BATCH, BATCH_BYTES
from .receipts import ReceiptOperations
from .steps import Steps, operation

#: The longest wait of one ``receive_messages`` call.
MAX_WAIT_SECONDS = 3600


class RSMQOperations(ReceiptOperations):
    """RSMQ's ten methods, and variants for many messages at a time."""

    @operation
    def ping(self) -> Steps[None]:
        """Check that Redis answers and accepts writes. Raises ``QueueUnavailable``."""
        yield self.session.call(Call("ping", [self.keys.never(), self.keys.queues()]))

    @operation
    def now_ms(self) -> Steps[int]:
        """The time of Redis' clock in ms since 1970. Raises ``QueueUnavailable``."""
        return int((yield self.session.call(Call("now", [self.keys.queues()]))))

    # --- queues -------------------------------------------------------------------------------

    @operation
    def create_queue(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> Steps[int]:
        """Create a queue, like RSMQ's createQueue. Returns 1.

        ``vt`` (default 30) and ``delay`` (default 0) are seconds. ``maxsize`` (default 65536) is a length in
        UTF-16 code units, -1 for unlimited. Raises ``QueueExists``, ``MissingParameter``, ``InvalidFormat``,
        ``InvalidValue``.
        """
        qname = rsmq_values.qname(qname)
        vt = rsmq_values.seconds(30 if vt is None else vt, "vt")
        delay = rsmq_values.seconds(0 if delay is None else delay, "delay")
        maxsize = rsmq_values.maxsize(65536 if maxsize is None else maxsize)
        keys = [*self.session.queue_keys(qname), self.keys.sender(secrets.token_hex(8))]
        args = (qname, vt, delay, maxsize, SendCall.REMEMBERED_MS)
        checked((yield self.session.call(Call("create_queue", keys, *args))))
        return 1

    @operation
    def list_queues(self) -> Steps[list[str]]:
        """The names in the index of queues, in no order, like RSMQ's listQueues.

        If another program has damaged the index, the queues are found by their keys.
        """
        return self._list_queues()

    def _list_queues(self) -> Steps[list[str]]:
        try:
            names = yield self.session.call(Call("list_queues", [self.keys.queues()]))
        except SpoiltKey:
            found: list[str] = yield self._maintain(sweep.find_queues)
            return found
        return [decode.text(name) for name in names]

    @operation
    def delete_queue(self, qname: str) -> Steps[int]:
        """Delete a queue and its messages, like RSMQ's deleteQueue. Returns 1. Raises ``QueueNotFound``."""
        qname = rsmq_values.qname(qname)
        sender = self.keys.sender(secrets.token_hex(8))
        call = self._room_call("delete_queue", qname, SendCall.REMEMBERED_MS)
        call.keys = lambda queue, dead: [*self.keys.of_room(queue, dead), sender]
        checked((yield self.session.call(call)))
        return 1

    @operation
    def get_queue_attributes(self, qname: str) -> Steps[QueueAttributes]:
        """The attributes of a queue, like RSMQ's getQueueAttributes. Raises ``QueueNotFound``."""
        return self._attributes(rsmq_values.qname(qname))

    @operation
    def set_queue_attributes(
        self, qname: str, *, vt: int | None = None, delay: int | None = None, maxsize: int | None = None
    ) -> Steps[QueueAttributes]:
        """Set the attributes that are not ``None``, like RSMQ's setQueueAttributes.

        Returns all nine attributes. Raises ``NoAttributeSupplied`` (checked first), ``InvalidValue``,
        ``QueueNotFound``.
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
        return (yield from self._attributes(qname, *pairs))

    def _attributes(self, qname: str, *pairs: Any) -> Steps[QueueAttributes]:
        call = Call("attributes", self.session.queue_keys(qname), *pairs)
        return replies.attributes(checked((yield self.session.call(call))))

    # --- sending ------------------------------------------------------------------------------

    @operation
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
    ) -> Steps[str]:
        """Send a message, like RSMQ's sendMessage. Returns its id.

        ``delay`` is in seconds; ``None`` means the delay of the queue. The other options are those of
        ``Draft``. A call that is repeated after a lost reply does not send twice. Raises ``QueueNotFound``,
        ``InvalidValue``, ``MessageNotString``, ``MessageTooLong``, ``QueueFull``, ``NotReplicated``.
        """
        draft: str | Draft = message
        if delay_ms is None and due_ms is None and headers is None and deduplication_id is None:
            if delay is None and type(message) is str and drafts.is_plain(name := rsmq_values.qname(qname)):
                return (yield from self._send_text(name, message))
        else:
            draft = Draft(
                body=message,
                delay_ms=delay_ms,
                due_ms=due_ms,
                headers=headers or {},
                deduplication_id=deduplication_id,
                deduplication_seconds=deduplication_seconds,
            )
        [id] = yield from self._send(qname, [draft], delay)
        return id

    @operation
    def send_messages(
        self, qname: str, messages: Sequence[str | Draft], *, delay: int | None = None
    ) -> Steps[list[str]]:
        """Send any number of texts or ``Draft``s in order. Returns the ids in the same order.

        ``delay`` (seconds) applies to messages without a delay or due time of their own. Raises the errors of
        ``send_message``. Invalid parameters are reported before the first send. Messages are sent in steps of
        limited size, so other errors may occur after some messages were sent.
        """
        return self._send(qname, messages, delay)

    def _send(self, qname: str, messages: Sequence[str | Draft], delay: int | None) -> Steps[list[str]]:
        qname = rsmq_values.qname(qname)
        if delay is None and len(messages) == 1 and type(messages[0]) is str and drafts.is_plain(qname):
            return [(yield from self._send_text(qname, messages[0]))]
        try:
            seconds = _checked_delay(messages, delay)
        except QueueError:
            # RSMQ checks the queue before it checks the other parameters.
            yield from self._attributes(qname)
            raise
        messages = drafts.complete(qname, messages)
        if len(messages) == 1:
            return (yield from self._put(qname, messages, seconds))
        ids: list[str] = []
        for step in drafts.steps(messages):
            ids += yield from self._put(qname, step, seconds)
        return ids

    def _send_text(self, qname: str, text: str) -> Steps[str]:
        """Send one text without options, which is the most frequent case."""
        sending = self._senders.next_call(1)
        call = self._text_sends(qname).call(sending, text)
        reply = yield self.session.call(call, replicas=self.durable)
        if reply is None:
            return (yield from self._put(qname, [text], "", sending))[0]
        self._senders.answered(sending)
        id: str = reply.decode()
        if message_sent.receivers:
            yield self._emit(message_sent, type(self), queue=qname, ids=[id], messages=[text])
        return id

    def _put(
        self, qname: str, messages: Sequence[str | Draft], delay: int | str, sending: SendCall | None = None
    ) -> Steps[list[str]]:
        sending = sending or self._senders.next_call(len(messages))
        call = drafts.put(
            "send", self.keys, qname, messages,
            tails=sending.tails, key=self.keys.sender(sending.token),
            own=(sending.number, sending.REMEMBERED_MS), delay=delay,
        )  # fmt: skip
        first_us, *sent_before = checked((yield self.session.call(call, replicas=self.durable)))
        self._senders.answered(sending)
        ids = sending.ids(int(first_us))
        for index, message in enumerate(messages):
            if isinstance(message, Draft) and message.id:
                ids[index] = message.id
        for index, id in zip(sent_before[::2], sent_before[1::2], strict=True):
            ids[index - 1] = id.decode()
        if message_sent.receivers:
            yield self._emit(message_sent, type(self), queue=qname, ids=ids, messages=messages)
        return ids

    # --- receiving ----------------------------------------------------------------------------

    @operation
    def receive_message(self, qname: str, *, vt: int | None = None) -> Steps[Message | None]:
        """Receive the next due message, like RSMQ's receiveMessage. Returns ``None`` if no message is due.

        The message is hidden for ``vt`` seconds; ``None`` means the ``vt`` of the queue. Raises
        ``QueueNotFound``, ``InvalidValue``. Raises ``ReplyLost`` if a message may have been received: it is
        due again after ``vt``.
        """
        qname, seconds = yield from self._receivable(qname, vt)
        messages, _ = yield from self._take(qname, seconds, 1)
        return messages[0] if messages else None

    @operation
    def receive_messages(
        self, qname: str, count: int = 10, *, vt: int | None = None, wait_seconds: float = 0
    ) -> Steps[list[Message]]:
        """Receive up to ``count`` due messages in order. Each is hidden for ``vt`` seconds.

        If no message is due, the call waits up to ``wait_seconds`` (at most 3600) for the first one. The wait
        ends as soon as this package sends a message or a delayed message becomes due. Other programs often do
        not announce their messages, so a poll finds these messages a few seconds later. Raises the errors of
        ``receive_message``, and ``QueueError`` if ``count`` or ``wait_seconds`` is out of bounds.
        """
        qname, seconds = yield from self._receivable(qname, vt)
        if not (isinstance(count, int) and count >= 1):
            raise QueueError("count must be a whole number from 1.")
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            raise QueueError(f"wait_seconds must be between 0 and {MAX_WAIT_SECONDS}.")
        messages, due_in_seconds = yield from self._take_many(qname, seconds, count)
        if messages or not wait_seconds:
            return messages
        deadline = time.monotonic() + wait_seconds
        with self._wakeup(self.keys.channel(qname)) as wakeup:
            while not messages:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                yield wakeup.wait(min(remaining, due_in_seconds, POLL_SECONDS))
                messages, due_in_seconds = yield from self._take_many(qname, seconds, count)
        return messages

    @operation
    def pop_message(self, qname: str) -> Steps[Message | None]:
        """Receive and delete the next due message, like RSMQ's popMessage.

        Returns ``None`` if no message is due. Raises ``QueueNotFound``, and ``ReplyLost`` if a message may
        have been deleted without being returned.
        """
        messages, _ = yield from self._take(rsmq_values.qname(qname), "pop", 1)
        return messages[0] if messages else None

    def _receivable(self, qname: str, vt: int | None) -> Steps[tuple[str, int | str]]:
        qname = rsmq_values.qname(qname)
        try:
            return qname, "" if vt is None else rsmq_values.seconds(vt, "vt")
        except QueueError:
            yield from self._attributes(qname)  # as for a send
            raise

    def _take_many(self, qname: str, vt: int | str, count: int) -> Steps[tuple[list[Message], float]]:
        messages: list[Message] = []
        due_in_seconds = float("inf")
        for start in range(0, count, BATCH):
            try:
                taken, due_in_seconds = yield from self._take(qname, vt, min(BATCH, count - start))
            except QueueError:
                # Return the messages that were received so far. The next call raises the error again.
                if messages:
                    break
                raise
            messages += taken
            if not taken:
                break
        return messages, due_in_seconds

    def _take(self, qname: str, vt: int | str, count: int) -> Steps[tuple[list[Message], float]]:
        """Receive or pop messages. Returns the messages, and the seconds until the next message is due.

        The seconds are infinite if the queue is empty, and meaningless if a message was taken.
        """
        call = self._room_call("receive", qname, vt, count, BATCH_BYTES, repeatable=False)
        while True:
            try:
                now_ms, next_due_ms, *fields = checked((yield self.session.call(call)))
            except ReplyLost as error:
                raise ReplyLost(f"{error}; one message may have been taken") from error
            due_ms = decode.integer(next_due_ms)
            # A message is due, but the script found many dead letters first and let other clients continue.
            if fields or due_ms != int(now_ms):
                break
        wait_seconds = (due_ms - int(now_ms)) / 1000 if due_ms else float("inf")
        return replies.messages(fields), max(0.0, wait_seconds)


def _checked_delay(messages: Sequence[Any], delay: int | None) -> int | str:
    """Check ``delay`` and the options of ``messages``. Returns the delay in seconds for the send script.

    If ``delay`` is ``None``, the delay of the queue applies, and ``""`` is returned.
    """
    seconds = "" if delay is None else rsmq_values.seconds(delay, "delay")
    for message in messages:
        if not isinstance(message, str):
            drafts.check(message)
    return seconds
