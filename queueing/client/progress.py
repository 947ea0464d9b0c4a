"""How far a running message is, as its handler tells it."""

from collections.abc import Sequence

from queueing.broker import decode, rsmq_values
from queueing.messages import Progress

from .base import ClientBase

#: Notes that nobody strikes are kept for so long.
KEPT_MS = 86_400_000


class ProgressNotes(ClientBase):
    """Notes beside a queue; struck when their message is settled."""

    def report_progress(self, qname: str, id: str, rc: int, fraction: float, note: str) -> bool:
        """Note that the delivery ``rc`` of ``id`` is so far (0.0 to 1.0).

        Returns whether it was noted: not if the message has moved on.
        """
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        text = f"{fraction:.4f} ".encode() + rsmq_values.encode(note)
        return self.scripts.run("progress", keys, rsmq_values.encode(id), rc, text, KEPT_MS) == 1

    def progress_of(self, qname: str, ids: Sequence[str]) -> dict[str, Progress]:
        """How far those of ``ids`` are that have told it of their present run."""
        if not ids:
            return {}
        keys = [self.keys.attributes(qname), self.keys.progress(qname)]
        told = self.scripts.run("progress_of", keys, *map(rsmq_values.encode, ids))
        return {id: _read(text) for id, text in zip(ids, told, strict=True) if text}


def _read(text: bytes) -> Progress:
    fraction, _, note = text.partition(b" ")
    return Progress(min(1.0, max(0.0, decode.fraction(fraction))), decode.text(note))
