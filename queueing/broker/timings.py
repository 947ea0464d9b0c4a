"""What a batch adds to the counters of its queue: how long its runs took and how long they waited.

Times go into buckets, because percentiles of a day cannot be made from those of its minutes, but
buckets add up. What the words of the outcomes come to is counted by the script that settles, which
alone knows what it refuses.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .outcomes import Outcome

#: The upper bounds of the buckets in seconds; above the last there is one more. Stored by their
#: index, so a change makes the old counts wrong: add none but at the end.
BOUNDS_SECONDS = (
    *(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0, 86400.0),
)
_BOUNDS_MS = tuple(seconds * 1000 for seconds in BOUNDS_SECONDS)
BUCKETS = len(BOUNDS_SECONDS) + 1
_as_json = json.JSONEncoder(separators=(",", ":")).encode
#: A message due before 2001 has an id of another form, which tells no time.
PLAUSIBLE_MS = 1e12
_RUN = tuple(f"r{index}" for index in range(BUCKETS))
_WAIT = tuple(f"w{index}" for index in range(BUCKETS))


def tally(outcomes: Iterable[Outcome]) -> str:
    """The times of a batch as JSON: ``run_ms`` and ``wait_ms`` (sums), ``r<n>`` and ``w<n>`` (buckets).

    What never began has none. A wait lasts from the moment at which a message is due to its first
    start: what comes before a retry is no waiting. Empty where there is nothing to add.
    """
    sums: dict[str, float] = {}
    run_ms = wait_ms = 0.0
    for outcome in outcomes:
        started_ms = outcome.started_ms
        if started_ms is None:
            continue
        lasted_ms = outcome.finished_ms - started_ms
        bucket = _RUN[bisect_left(_BOUNDS_MS, lasted_ms)]
        sums[bucket] = sums.get(bucket, 0) + 1
        run_ms += lasted_ms
        if outcome.due_ms > PLAUSIBLE_MS:
            # Clocks that were set by two replies may differ by a little.
            waited_ms = max(0.0, started_ms - outcome.due_ms)
            bucket = _WAIT[bisect_left(_BOUNDS_MS, waited_ms)]
            sums[bucket] = sums.get(bucket, 0) + 1
            wait_ms += waited_ms
    if not sums:
        return ""
    sums["run_ms"], sums["wait_ms"] = round(max(run_ms, 0.0), 3), round(wait_ms, 3)
    return _as_json(sums)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long: a count for each bucket, and the sum of it all."""

    counts: Sequence[int] = field(default=(0,) * BUCKETS)
    sum_seconds: float = 0.0

    @classmethod
    def of_runs(cls, sums: Mapping[str, float]) -> "Histogram":
        """The run times in stored sums."""
        return cls([int(sums.get(name, 0)) for name in _RUN], sums.get("run_ms", 0.0) / 1000)

    @classmethod
    def of_waits(cls, sums: Mapping[str, float]) -> "Histogram":
        """The wait times in stored sums."""
        return cls([int(sums.get(name, 0)) for name in _WAIT], sums.get("wait_ms", 0.0) / 1000)

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean_seconds(self) -> float | None:
        return self.sum_seconds / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """So many percent took no longer than this, in seconds; ``None`` where there is nothing.

        As exact as the bucket in which it lies, in which the times are taken to be spread evenly;
        above the last bound it is that bound.
        """
        rank = self.count * percent / 100
        if not rank:
            return None
        below = 0
        for index, count in enumerate(self.counts[:-1]):
            if count and below + count >= rank:
                low = BOUNDS_SECONDS[index - 1] if index else 0.0
                return low + (BOUNDS_SECONDS[index] - low) * (rank - below) / count
            below += count
        return BOUNDS_SECONDS[-1]
