"""Samples of queues and their counters: the hash of ``keys.metrics``, written and read."""

from collections.abc import Sequence
from dataclasses import dataclass

from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session
from queueing.exceptions import QueueError

#: Queues per script call: others wait meanwhile.
STEP = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored texts of one queue: number of its span -> JSON, and the other fields asked for."""

    spans: dict[int, bytes]
    fields: dict[str, bytes]


def sample_queues(session: Session, qnames: Sequence[str]) -> None:
    """Note the present state of these queues; names that are not queues are left out."""
    for start in range(0, len(qnames), STEP):
        session.call(QueueCall("sample", qnames[start : start + STEP], session.keys.of_sample))


def read_metrics(
    session: Session, qnames: Sequence[str], level: str, minutes: int, count: int, *fields: str
) -> tuple[int, dict[str, Kept]]:
    """The ms epoch of now, and what is kept of the last ``count`` spans of ``level`` for each queue."""
    calls = [
        Call(
            "metrics_read",
            list(map(session.keys.metrics, qnames[start : start + STEP])),
            *(level, minutes, count, *fields),
        )
        for start in range(0, max(1, len(qnames)), STEP)
    ]
    replies = session.call_each(calls)
    for reply in replies:
        if isinstance(reply, QueueError):
            raise reply
    found = [kept for reply in replies for kept in reply[1:]]
    return int(replies[0][0]), {name: _kept(kept, fields) for name, kept in zip(qnames, found, strict=True)}


def _kept(reply: Sequence[bytes], fields: Sequence[str]) -> Kept:
    end = len(reply) - len(fields) - 1
    spans = {int(number): text for number, text in zip(reply[0:end:2], reply[1:end:2], strict=True)}
    return Kept(spans, dict(zip(fields, reply[end + 1 :], strict=True)))
