"""Deletes messages, changes their visibility and gives them back, by id or by receipt."""

from collections.abc import Iterable, Sequence

from queueing.broker import rsmq_values
from queueing.broker.session import checked
from queueing.messages import Message

from .drafts import BATCH
from .steps import OperationsBase, Steps, operation

#: A message id, or a received message. A received message is changed only if its receipt is still valid.
Named = str | Message
#: The id and the receive count of one delivery. ``None`` stands for any delivery.
Receipt = tuple[str, int | None]


class ReceiptOperations(OperationsBase):
    """Operations on messages that were received.

    A receipt is the id and the receive count of one delivery. It is invalid after another receiver has
    received the message, and after the message is deleted. A call with an invalid receipt changes nothing.
    """

    @operation
    def delete_message(self, qname: str, id: str, *, rc: int | None = None) -> Steps[int]:
        """Delete a message, like RSMQ's deleteMessage. If ``rc`` is given, the receipt must still be valid.

        Returns 1, or 0 if nothing was deleted. After a lost reply the call is repeated, so 0 can also mean
        that the first try deleted the message.
        """
        [done] = yield from self._delete(rsmq_values.qname(qname), [(rsmq_values.message_id(id), rc)])
        return done

    @operation
    def delete_messages(self, qname: str, messages: Iterable[Named]) -> Steps[list[int]]:
        """Delete messages by id, or by receipt if a ``Message`` is given.

        Returns for each message 1 if it was deleted, else 0.
        """
        qname = rsmq_values.qname(qname)
        done: list[int] = []
        for step in _steps(messages):
            done += yield from self._delete(qname, step)
        return done

    @operation
    def change_message_visibility(self, qname: str, id: str, vt: int, *, rc: int | None = None) -> Steps[int]:
        """Make a message due in ``vt`` seconds from now, like RSMQ's changeMessageVisibility.

        If ``rc`` is given, the receipt must still be valid. Returns 1, or 0 if nothing was changed. Raises
        ``QueueNotFound``, ``InvalidValue``.
        """
        qname, id = rsmq_values.qname(qname), rsmq_values.message_id(id)
        [done] = yield from self._change(qname, [(id, rc)], rsmq_values.seconds(vt, "vt"))
        return done

    @operation
    def change_visibilities(self, qname: str, messages: Iterable[Named], vt: int) -> Steps[list[int]]:
        """Make messages due in ``vt`` seconds from now, by id, or by receipt if a ``Message`` is given.

        Returns for each message 1 if it was changed, else 0. Raises ``QueueNotFound``, ``InvalidValue``.
        """
        qname, vt = rsmq_values.qname(qname), rsmq_values.seconds(vt, "vt")
        done: list[int] = []
        for step in _steps(messages):
            done += yield from self._change(qname, step, vt)
        return done

    @operation
    def release_message(self, qname: str, message: Message) -> Steps[int]:
        """Return a received message to the head of its queue, without counting the receive.

        The message is ready at once. Returns 1, or 0 if the receipt is no longer valid. Raises
        ``QueueNotFound``.
        """
        [done] = yield from self._change(rsmq_values.qname(qname), [(message.id, message.rc)], "release")
        return done

    def _delete(self, qname: str, receipts: Sequence[Receipt]) -> Steps[list[int]]:
        done: list[int] = yield self.session.call(self._room_call("delete", qname, *_flat(receipts)))
        return done

    def _change(self, qname: str, receipts: Sequence[Receipt], vt: int | str) -> Steps[list[int]]:
        call = self._room_call("change_visibility", qname, vt, *_flat(receipts))
        return checked((yield self.session.call(call)))


def _steps(messages: Iterable[Named]) -> list[list[Receipt]]:
    receipts: list[Receipt] = [
        (message.id, message.rc) if isinstance(message, Message) else (rsmq_values.message_id(message), None)
        for message in messages
    ]
    return [receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)]


def _flat(receipts: Sequence[Receipt]) -> list[str | int]:
    return [part for id, rc in receipts for part in (id, "" if rc is None else rc)]
