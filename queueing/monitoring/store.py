"""Writes and reads the counters and samples of queues in Redis (the hash of ``keys.metrics``).

Other programs can write to Redis, so malformed values are left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from queueing.broker import decode
from queueing.broker.keys import is_dead_letter_queue
from queueing.broker.outcomes import ENDS
from queueing.broker.rsmq_values import QNAME
from queueing.broker.scripts import Call, QueueCall
from queueing.broker.session import Session
from queueing.broker.timings import Histogram
from queueing.client import QueueClient
from queueing.exceptions import QueueError

#: Queues per script call. Other clients of Redis wait during a call.
STEP = 20
#: The most queues that are sampled in a minute. The limit keeps the load of Redis low with many queues.
MAX_SAMPLED = 100


_NUMBERS = {int, float}
_LEAST, _LIMIT = 0, 1e15
#: Values whose names have these prefixes are not added up. The function chooses one of two values.
_EXTREMES = {"max_": max, "min_": min}

#: Metrics of some time by name. Each value is a total for this time, for example of messages sent. A value
#: with the prefix ``max_`` or ``min_`` is the highest or the lowest value in this time.
Sums = dict[str, float]


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored metrics of one queue.

    Time is divided into spans: periods of equal length, numbered from 1970. ``spans`` has the JSON text of
    each span by its number. ``fields`` has the other requested fields of the hash.
    """

    spans: dict[int, bytes]
    fields: dict[str, bytes]


def sample_queues(session: Session, qnames: Iterable[str], *, first: Iterable[str] = ()) -> None:
    """Add a sample of the present state to the metrics of queues.

    The queues ``first`` are sampled before ``qnames``, which are sorted by name. At most ``MAX_SAMPLED``
    queues are sampled. Missing queues are left out. Dead-letter queues in ``qnames`` are also left out,
    because the figures of a queue include its dead letters.
    """
    chosen = list(dict.fromkeys([*first, *sorted(filter(_is_sampled, qnames))]))[:MAX_SAMPLED]
    for start in range(0, len(chosen), STEP):
        session.call(QueueCall("sample", chosen[start : start + STEP], session.keys.of_sample))


def _is_sampled(name: str) -> bool:
    return bool(QNAME.fullmatch(name)) and not is_dead_letter_queue(name)


def read_metrics(
    client: QueueClient, qnames: Sequence[str], level: str, minutes: int, count: int, *fields: str
) -> tuple[int, dict[str, Kept]]:
    """Read the newest ``count`` spans of the metrics of each queue, and the other ``fields`` of its hash.

    ``level`` and ``minutes`` are the name and the length of these spans, as in ``series.LEVELS``. Returns the
    time of Redis (ms since 1970), and the stored values by queue name.
    """
    now_ms = 0
    kept: dict[str, Kept] = {}
    for part, names in client.split(qnames) or [(client, [])]:
        now_ms, of_part = _read(part.session, names, level, minutes, count, *fields)
        kept |= of_part
    return now_ms, kept


def _read(
    session: Session, qnames: Sequence[str], level: str, minutes: int, count: int, *fields: str
) -> tuple[int, dict[str, Kept]]:
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
    """The counts of one queue since it was created.

    ``words`` has the number of deliveries by the state in which they ended. ``run`` and ``wait`` are
    histograms of run times and waiting times.
    """

    words: Mapping[str, int]
    run: Histogram
    wait: Histogram


def totals(client: QueueClient, queues: Sequence[str]) -> dict[str, Totals]:
    """The totals of these queues, by name. A total never falls while the queue exists."""
    _, kept = read_metrics(client, queues, "m", 1, 0, "total", "now")
    return {name: _totals(of_queue) for name, of_queue in kept.items()}


def _totals(kept: Kept) -> Totals:
    sums = added([sums_of(kept.fields["total"]), present(kept)[1]])
    words = {word: int(sums.get(word, 0)) for word in ENDS}
    return Totals(words, Histogram.of_runs(sums), Histogram.of_waits(sums))


def present(kept: Kept) -> tuple[int, Sums]:
    """Return the newest minute with counts (as minutes since 1970), and the counts in that minute so far."""
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
    # A fast path, because a chart has many values, and nearly always all are numbers (see ``_is_number``).
    values = sums.values()
    if set(map(type, values)) <= _NUMBERS and (not sums or (min(values) >= _LEAST and max(values) < _LIMIT)):
        return sums
    return {
        name: value for name, value in sums.items() if type(value) in _NUMBERS and _LEAST <= value < _LIMIT
    }


def added(all_sums: Iterable[Sums]) -> Sums:
    """Combine all items of ``all_sums`` into one, by the rules of ``lua/lib/metrics.lua``.

    Counts are added up. The highest of all ``max_…`` values and the lowest of all ``min_…`` values are kept.
    """
    together: Sums = {}
    for sums in all_sums:
        add(together, sums)
    return together


def add(together: Sums, sums: Sums) -> None:
    """Add ``sums`` to ``together`` in place, by the same rules as ``added``."""
    for name, value in sums.items():
        if name not in together:
            together[name] = value
        elif name[:4] not in _EXTREMES:
            together[name] += value
        else:
            together[name] = _EXTREMES[name[:4]](together[name], value)


def _json(text: bytes) -> object:
    """Parse a stored JSON text. Returns ``None`` if it is malformed."""
    try:
        return decode.json(text) if text else None
    except decode.Unreadable:
        return None


def _is_number(value: object) -> bool:
    return decode.is_number(value) and _LEAST <= value < _LIMIT


def number(text: bytes) -> float:
    return max(0, decode.integer(text))


def ratio(part: float, rest: float) -> float | None:
    """The fraction ``part / (part + rest)``, ``None`` if both are 0."""
    return part / (part + rest) if part + rest else None
