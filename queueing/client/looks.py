"""Looking at queues and messages without changing them."""

import re
from collections.abc import Sequence
from typing import Any

from queueing.broker import decode, rsmq_values
from queueing.broker.outcomes import State
from queueing.broker.scripts import Call
from queueing.exceptions import QueueError
from queueing.messages import PeekedMessage, QueueFigures, sent_ms

from .base import BATCH, checked
from .queues import Queues, read_attributes
from .receives import read_headers

#: The first bytes of a UTF-8 character that has more, at the end.
HALF_CHARACTER = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")


class Looks(Queues):
    """What only reads."""

    def queue_figures(self, qnames: Sequence[str] | None = None) -> list[QueueFigures]:
        """The figures of these queues (``None``: of all), by name; what is no queue is left out."""
        found = self._figures_of(sorted(set(self.list_queues() if qnames is None else qnames)))
        # One queue whose keys are of another type hides none of the others: ``spoilt_keys`` names them.
        return [found[name] for name in sorted(found) if not isinstance(found[name], QueueError)]

    def figures_of_queue(self, qname: str) -> QueueFigures | None:
        """The figures of one queue, ``None`` if it is not there. Raises ``SpoiltKey``."""
        found = self._figures_of([qname]).get(qname)
        if isinstance(found, QueueError):
            raise found
        return found

    def _figures_of(self, names: Sequence[str]) -> dict[str, Any]:
        """The figures of those that are there, or the error with which Redis refused them."""
        found: dict[str, QueueFigures | QueueError] = {}
        while names:
            replies = self.scripts.try_all([self._figures_call(name) for name in names])
            elsewhere = []
            for name, reply in zip(names, replies, strict=True):
                if isinstance(reply, QueueError):
                    found[name] = reply
                elif reply[0] == b"deadLetterQueue":
                    self.learn_dead_letter_queue(name, decode.text(reply[1]))
                    elsewhere.append(name)
                elif reply[0] == b"ok":
                    found[name] = _figures(name, reply[1:])
            names = elsewhere
        return found

    def _figures_call(self, name: str) -> Call:
        # Another program's names need not be any that we would take.
        texts = (*self._lane_keys(name), name, self.dead_letter_queue(name))
        *keys, name_bytes, dead = (rsmq_values.encode(text) for text in texts)
        return Call("figures", keys, [name_bytes, dead])

    def peek_messages(
        self, qname: str, *, count: int = 20, newest: bool = False, body_bytes: int | None = None
    ) -> list[PeekedMessage]:
        """Up to ``count`` (at most 1000) messages in delivery order, or from its end, not received.

        With ``body_bytes`` only the beginnings of their bodies; where these are longer than 10 MB together,
        nothing of the later ones. Raises ``QueueNotFound``.
        """
        count = max(1, min(count, BATCH))
        return self._peek(qname, count, "last" if newest else "first", "", body_bytes)

    def peek_message(self, qname: str, id: str, *, body_bytes: int | None = None) -> PeekedMessage | None:
        """The message of that id as it lies in the queue, or ``None``. Raises ``QueueNotFound``.

        With ``body_bytes`` only the beginning of its body.
        """
        found = self._peek(qname, 1, "id", rsmq_values.message_id(id), body_bytes)
        return found[0] if found else None

    def _peek(
        self, qname: str, count: int, which: str, id: str, body_bytes: int | None
    ) -> list[PeekedMessage]:
        keys = self._lane_keys(rsmq_values.qname(qname))
        limit = "" if body_bytes is None else body_bytes
        return [
            _peeked(*fields) for fields in checked(self.scripts.run("peek", keys, count, which, id, limit))
        ]


def _figures(name: str, reply: list[Any]) -> QueueFigures:
    attributes = read_attributes(reply)
    ready, running, dead, waiting_ms = map(decode.integer, reply[9:13])
    delayed = max(0, attributes.msgs - ready - running)
    return QueueFigures(name, attributes, ready, delayed, running, dead, waiting_ms / 1000, bool(reply[13]))


def _peeked(
    id: bytes, body: bytes, rc: Any, due_ms: Any, state: bytes, size_bytes: int, headers: bytes
) -> PeekedMessage:
    text = decode.text(id)
    return PeekedMessage(
        id=text,
        body=_beginning(body) if len(body) < size_bytes else decode.text(body),
        rc=decode.integer(rc),
        due_ms=decode.integer(due_ms),
        sent=sent_ms(text),
        state=State(state.decode()),
        size_bytes=size_bytes,
        headers=read_headers(headers),
    )


def _beginning(body: bytes) -> str:
    """The text of a body that was cut: half a character at its end is left out."""
    return decode.text(HALF_CHARACTER.sub(b"", body))
