"""All that workers have ever counted, for scrapers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queueing.broker.outcomes import ENDS
from queueing.broker.timings import Histogram

from .store import Kept, read_metrics
from .stored import added, present, sums_of

if TYPE_CHECKING:
    from queueing.client import QueueClient


@dataclass(frozen=True, slots=True)
class Totals:
    """All that workers have ever counted in a queue: word -> deliveries, and the times."""

    words: Mapping[str, int]
    run: Histogram
    wait: Histogram


def totals(client: "QueueClient", queues: Sequence[str]) -> dict[str, Totals]:
    """What was ever counted in these queues; it never falls, unless a queue is deleted."""
    _, kept = read_metrics(client.session, queues, "m", 1, 0, "total", "now")
    return {name: _totals(of_queue) for name, of_queue in kept.items()}


def _totals(kept: Kept) -> Totals:
    sums = added([sums_of(kept.fields["total"]), present(kept)[1]])
    words = {word: int(sums.get(word, 0)) for word in ENDS}
    return Totals(words, Histogram.of_runs(sums), Histogram.of_waits(sums))
