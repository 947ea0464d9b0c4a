"""How queues stand and stood: samples for the charts, and what is kept of them and of the counters."""

from collections.abc import Sequence
from dataclasses import dataclass

from queueing.broker import decode, rsmq_values
from queueing.broker.scripts import Call

from .base import ClientBase

#: Queues per script call: everybody else waits meanwhile.
STEP = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored texts of one queue: number of its span -> JSON, and the other fields asked for."""

    spans: dict[int, bytes]
    fields: dict[str, bytes]


class Samples(ClientBase):
    """Writing and reading the hash of ``keys.metrics``; ``queueing.monitoring`` makes figures of it."""

    def sample_queues(self, qnames: Sequence[str]) -> None:
        """Note how these queues stand at this moment; what is no queue is passed over."""
        for start in range(0, len(qnames), STEP):
            self._sample(qnames[start : start + STEP])

    def _sample(self, qnames: Sequence[str]) -> None:
        while qnames:
            keys = [key for name in qnames for key in (*self._lane_keys(name), self.keys.metrics(name))]
            args = [text for name in qnames for text in (name, self.dead_letter_queue(name))]
            told = self.scripts.run("sample", _encoded(keys), *_encoded(args))
            elsewhere = [decode.text(text) for text in told]
            qnames = elsewhere[::2]
            for name, dead in zip(elsewhere[::2], elsewhere[1::2], strict=True):
                self.learn_dead_letter_queue(name, dead)

    def read_metrics(
        self, qnames: Sequence[str], level: str, minutes: int, count: int, *fields: str
    ) -> tuple[int, dict[str, Kept]]:
        """Ms of now, and for each queue what is kept of its last ``count`` spans of ``level``."""
        names = list(qnames)
        calls = [
            Call(
                "metrics_read",
                _encoded([self.keys.metrics(name) for name in names[start : start + STEP]]),
                [level, minutes, count, *fields],
            )
            for start in range(0, max(1, len(names)), STEP)
        ]
        replies = self.scripts.run_all(calls)
        found = [kept for reply in replies for kept in reply[1:]]
        return int(replies[0][0]), {
            name: _kept(kept, fields) for name, kept in zip(names, found, strict=True)
        }


def _encoded(texts: Sequence[str]) -> list[bytes]:
    # Another program's names need not be any that we would take.
    return [rsmq_values.encode(text) for text in texts]


def _kept(reply: list[bytes], fields: Sequence[str]) -> Kept:
    end = len(reply) - len(fields) - 1
    spans = {int(number): text for number, text in zip(reply[0:end:2], reply[1:end:2], strict=True)}
    return Kept(spans, dict(zip(fields, reply[end + 1 :], strict=True)))
