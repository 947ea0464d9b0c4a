"""The counters and samples of queues in Redis: the hash of ``keys.metrics``, written and read.

Other programs can write to Redis, so a value of a wrong form is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from queueing.broker import decode
from queueing.broker.outcomes import ENDS
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session
from queueing.broker.timings import Histogram
from queueing.client import QueueClient
from queueing.exceptions import QueueError

#: Queues per script call: others wait meanwhile.
STEP = 20


_NUMBERS = {int, float}
_LEAST, _LIMIT = 0, 1e15
#: By the beginnings of their names, what does not add up.
_EXTREMES = {"max_": max, "min_": min}

#: Name -> what adds up, or the most (``max_…``) or the least (``min_…``) there was.
Sums = dict[str, float]


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


@dataclass(frozen=True, slots=True)
class Totals:
    """All that workers have ever counted in a queue: word -> deliveries, and the times."""

    words: Mapping[str, int]
    run: Histogram
    wait: Histogram


def totals(client: QueueClient, queues: Sequence[str]) -> dict[str, Totals]:
    """What was ever counted in these queues; it never falls, unless a queue is deleted."""
    _, kept = read_metrics(client.session, queues, "m", 1, 0, "total", "now")
    return {name: _totals(of_queue) for name, of_queue in kept.items()}


def _totals(kept: Kept) -> Totals:
    sums = added([sums_of(kept.fields["total"]), present(kept)[1]])
    words = {word: int(sums.get(word, 0)) for word in ENDS}
    return Totals(words, Histogram.of_runs(sums), Histogram.of_waits(sums))


def present(kept: Kept) -> tuple[int, Sums]:
    """The minute that was not over when it was last counted in, and what was."""
    minute, _, text = kept.fields.get("now", b"").partition(b" ")
    return int(number(minute)), sums_of(text)


def samples_of(kept: Kept) -> list[list[float]]:
    samples = _json(kept.fields.get("last", b""))
    if not isinstance(samples, list):
        return []
    return [s for s in samples if isinstance(s, list) and len(s) == 4 and all(map(_is_number, s))]


def sums_of(text: bytes) -> Sums:
    sums = _json(text)
    if not isinstance(sums, dict):
        return {}
    # As ``_is_number``, without a call for each of the many values behind a chart; and mostly all are fine.
    values = sums.values()
    if set(map(type, values)) <= _NUMBERS and (not sums or (min(values) >= _LEAST and max(values) < _LIMIT)):
        return sums
    return {
        name: value for name, value in sums.items() if type(value) in _NUMBERS and _LEAST <= value < _LIMIT
    }


def added(all_sums: Iterable[Sums]) -> Sums:
    """Sums together, by the rules of ``lua/lib/metrics.lua``."""
    together: Sums = {}
    for sums in all_sums:
        add(together, sums)
    return together


def add(together: Sums, sums: Sums) -> None:
    """One more to those that are together."""
    for name, value in sums.items():
        if name not in together:
            together[name] = value
        elif name[:4] not in _EXTREMES:
            together[name] += value
        else:
            together[name] = _EXTREMES[name[:4]](together[name], value)


def _json(text: bytes) -> object:
    """The value of a stored text, ``None`` for one that cannot be read."""
    try:
        return decode.json(text) if text else None
    except decode.Unreadable:
        return None


def _is_number(value: object) -> bool:
    return decode.is_number(value) and _LEAST <= value < _LIMIT


def number(text: bytes) -> float:
    return max(0, decode.integer(text))


def ratio(part: float, rest: float) -> float | None:
    """Which part of the whole it is; ``None`` of nothing."""
    return part / (part + rest) if part + rest else None
