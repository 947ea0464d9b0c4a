"""Cancelling messages that nobody has begun to work on."""

from collections.abc import Iterable
from typing import Any

from redis import Redis

from queueing.broker import rsmq_values
from queueing.conf import Config

from .base import DEAD_RETENTION_SECONDS, ClientBase, checked

#: Messages per step: each step holds up everybody else.
STEP = 200


class Cancels(ClientBase):
    """What takes back a message, and says so in the history."""

    def __init__(self, redis: Redis, ns: str = "rsmq", *, outbox_max: int = Config().OUTBOX_MAX) -> None:
        """``outbox_max``: bytes of outcomes that may wait for a recorder (the setting ``OUTBOX_MAX``)."""
        super().__init__(redis, ns)
        self.outbox_max = outbox_max

    def cancel_message(self, qname: str, id: str, *, reason: str = "") -> str:
        """Delete a message unless somebody has it, and record it as ``cancelled`` with the reason.

        Returns ``cancelled``, or why it was not: ``running`` (a worker holds it), ``hidden`` (another
        receiver has it, until its time is over), ``gone`` (it is not in the queue; after a lost reply
        the call is repeated, so ``gone`` may have been ``cancelled``). Raises ``QueueNotFound``.
        """
        return self.cancel_messages(qname, [id], reason=reason)[0]

    def cancel_messages(self, qname: str, ids: Iterable[str], *, reason: str = "") -> list[str]:
        """The same for any number, in bounded steps: the word for each."""
        qname = rsmq_values.qname(qname)
        wanted = [rsmq_values.message_id(id) for id in ids]
        words: list[str] = []
        for start in range(0, len(wanted), STEP):
            words += self._cancel(qname, wanted[start : start + STEP], reason)
        return words

    def _cancel(self, qname: str, ids: list[str], reason: str) -> list[str]:
        while True:
            dead = self.dead_letter_queue(qname)
            args: list[Any] = [qname, self.keys.channel(qname), dead, DEAD_RETENTION_SECONDS]
            args += [self.outbox_max, rsmq_values.encode(reason), *ids]
            reply = self.scripts.run("cancel", self.keys.of_room(qname, dead), *args)
            if reply[0] != b"deadLetterQueue":
                return [word.decode() for word in checked(reply)]
            self.learn_dead_letter_queue(qname, reply[1].decode())
