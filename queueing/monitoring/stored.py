"""What is kept of a queue's past, read: sums by time, and the last samples.

Other programs can write to Redis, too, so nothing that lies there is taken for what it should be.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from queueing.broker import decode

if TYPE_CHECKING:
    from .store import Kept

_NUMBERS = {int, float}
_LEAST, _LIMIT = 0, 1e15
#: By the beginnings of their names, what does not add up.
_EXTREMES = {"max_": max, "min_": min}

#: Name -> what adds up, or the most (``max_…``) or the least (``min_…``) there was.
Sums = dict[str, float]


class History:
    """What is kept of one queue, in spans of some seconds."""

    def __init__(self, kept: "Kept", span_seconds: int) -> None:
        self.span_seconds = span_seconds
        self.spans = {number * span_seconds: sums_of(text) for number, text in kept.spans.items()}
        minute, sums = present(kept)
        start = minute * 60 // span_seconds * span_seconds
        self.spans[start] = added([self.spans.get(start, {}), sums])
        # Most queues have none: looking through all spans for each point of a chart would take longer
        # than all the rest.
        self._gaps = [
            (sums["min_unseen_ms"] / 1000, at) for at, sums in self.spans.items() if "min_unseen_ms" in sums
        ]
        samples = samples_of(kept)
        self.since = _number(kept.fields.get("since", b"")) / 1000
        self.until = samples[-1][0] / 1000 if samples else 0.0

    def between(self, start: int, end: int) -> tuple[Sums, bool]:
        """The sums of a time, and whether somebody looked then how the queue stands."""
        found = [self.spans[at] for at in range(start, end, self.span_seconds) if at in self.spans]
        was_seen = self.since < end and start <= self.until and not self._is_unseen(start, end)
        # Where a span is as long as a step of the chart there is nothing to add.
        return found[0] if len(found) == 1 else added(found), was_seen

    def _is_unseen(self, start: int, end: int) -> bool:
        """Whether it lies in a gap between two samples, which is noted where the second one is."""
        return any(since <= start and end <= at for since, at in self._gaps)


def present(kept: "Kept") -> tuple[int, Sums]:
    """The minute that was not over when it was last counted in, and what was."""
    minute, _, text = kept.fields.get("now", b"").partition(b" ")
    return int(_number(minute)), sums_of(text)


def samples_of(kept: "Kept") -> list[list[float]]:
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


def _number(text: bytes) -> float:
    return max(0, decode.integer(text))


def ratio(part: float, rest: float) -> float | None:
    """Which part of the whole it is; ``None`` of nothing."""
    return part / (part + rest) if part + rest else None
