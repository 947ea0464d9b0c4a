"""Histograms of run times and wait times, which are stored in the counters of a queue.

Unlike percentiles, the buckets of minutes can be added up to those of a day. This module does not count the
outcomes by state: the settle script does, because only the script knows which outcomes it refuses.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .outcomes import Outcome

#: The upper bounds of the buckets in seconds. A last bucket counts all longer times. Buckets are stored by
#: index, so a new bound may only be added at the end.
BOUNDS_SECONDS = (
    *(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0, 86400.0),
)
_BOUNDS_MS = tuple(seconds * 1000 for seconds in BOUNDS_SECONDS)
BUCKETS = len(BOUNDS_SECONDS) + 1
_as_json = json.JSONEncoder(separators=(",", ":")).encode
#: A due time before 2001 is ignored. It comes from a message id in another format, which contains no time.
PLAUSIBLE_MS = 1e12
_RUN = tuple(f"r{index}" for index in range(BUCKETS))
_WAIT = tuple(f"w{index}" for index in range(BUCKETS))


def tally(outcomes: Iterable[Outcome]) -> str:
    """Add up the run times and the wait times of ``outcomes``. Returns JSON for the counters of their queue.

    ``run_ms`` and ``wait_ms`` are the sums. ``r<n>`` is the number of run times in bucket ``n`` of the
    histogram, ``w<n>`` the number of wait times. Empty buckets are left out.

    Only started deliveries count. A wait lasts from the due time of a message to its first start, so the
    back-off before a retry does not count. Returns ``""`` if no delivery was started.
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
            # The two times derive from two replies, so they may differ by a little.
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
    """A histogram of times: the count of each bucket, and the sum of all times in seconds."""

    counts: Sequence[int] = field(default=(0,) * BUCKETS)
    sum_seconds: float = 0.0

    @classmethod
    def of_runs(cls, sums: Mapping[str, float]) -> "Histogram":
        """Make the histogram of run times from the counters of a queue (``r<n>`` and ``run_ms``)."""
        return cls([int(sums.get(name, 0)) for name in _RUN], sums.get("run_ms", 0.0) / 1000)

    @classmethod
    def of_waits(cls, sums: Mapping[str, float]) -> "Histogram":
        """Make the histogram of wait times from the counters of a queue (``w<n>`` and ``wait_ms``)."""
        return cls([int(sums.get(name, 0)) for name in _WAIT], sums.get("wait_ms", 0.0) / 1000)

    @property
    def count(self) -> int:
        return sum(self.counts)

    def percentile(self, percent: float) -> float | None:
        """The time in seconds that ``percent`` % of the times do not exceed, or ``None`` without any times.

        The result is interpolated within its bucket. If it is above the last bound, the last bound is
        returned.
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
