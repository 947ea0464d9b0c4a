"""Deleting messages and changing when they are due: by id as RSMQ does, or by receipt."""

from collections.abc import Iterable, Sequence
from typing import Any

from queueing.broker import rsmq_values
from queueing.messages import Message

from .base import BATCH, ClientBase, checked

#: An id, whoever holds the message, or a received message, whose receipt has to fit still.
Named = str | Message


class Deletes(ClientBase):
    """What ends or postpones a message.

    A receipt is the id and the receive count of one delivery. Once another receiver has the message,
    or it is gone, the receipt fits no more, and nothing is changed.
    """

    def delete_message(self, qname: str, id: str, *, rc: int | None = None) -> int:
        """RSMQ's deleteMessage: 1, or 0 where there is none or the receipt ``id``, ``rc`` fits no more.

        After a lost reply it is repeated, so 0 may have been 1.
        """
        return self._delete(rsmq_values.qname(qname), [(rsmq_values.message_id(id), rc)])[0]

    def delete_messages(self, qname: str, messages: Iterable[Named]) -> list[int]:
        """Delete any number, by id or by receipt (a ``Message`` as it was received): 1 or 0 for each."""
        qname = rsmq_values.qname(qname)
        return [done for step in _steps(messages) for done in self._delete(qname, step)]

    def change_message_visibility(self, qname: str, id: str, vt: Any, *, rc: int | None = None) -> int:
        """RSMQ's changeMessageVisibility: receivable again in ``vt`` seconds from now.

        1, or 0 where there is none or the receipt fits no more. Raises ``QueueNotFound``,
        ``InvalidValue``.
        """
        qname, id = rsmq_values.qname(qname), rsmq_values.message_id(id)
        return self._change(qname, [(id, rc)], rsmq_values.seconds(vt, "vt"))[0]

    def change_visibilities(self, qname: str, messages: Iterable[Named], vt: Any) -> list[int]:
        """The same for any number, by id or by receipt: 1 or 0 for each."""
        qname, vt = rsmq_values.qname(qname), rsmq_values.seconds(vt, "vt")
        return [done for step in _steps(messages) for done in self._change(qname, step, vt)]

    def release_message(self, qname: str, message: Message) -> int:
        """Give a received message back: ready at once, at the head, and not counted as received.

        1, or 0 where its receipt fits no more.
        """
        return self._change(rsmq_values.qname(qname), _steps([message])[0], "release")[0]

    def _delete(self, qname: str, receipts: Sequence[tuple[str, int | None]]) -> list[int]:
        return self.scripts.run("delete", self._queue_keys(qname), *_flat(receipts))

    def _change(self, qname: str, receipts: Sequence[tuple[str, int | None]], vt: Any) -> list[int]:
        args = [vt, self.keys.channel(qname), *_flat(receipts)]
        return checked(self.scripts.run("change_visibility", self._waking_keys(qname), *args))


def _steps(messages: Iterable[Named]) -> list[list[tuple[str, int | None]]]:
    receipts = [
        (message.id, message.rc) if isinstance(message, Message) else (rsmq_values.message_id(message), None)
        for message in messages
    ]
    return [receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)]


def _flat(receipts: Sequence[tuple[str, int | None]]) -> list[Any]:
    return [part for id, rc in receipts for part in (rsmq_values.encode(id), "" if rc is None else rc)]
