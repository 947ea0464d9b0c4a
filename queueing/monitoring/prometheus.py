"""Prometheus metrics of all queues and workers. Each scrape reads them from Redis.

This module needs the library prometheus-client, which the extra ``prometheus`` installs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate

from django.db import DatabaseError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from queueing.broker.outcomes import State
from queueing.broker.timings import BOUNDS_SECONDS, Histogram
from queueing.client import QueueClient
from queueing.messages import QueueFigures
from queueing.resilience import database_guard
from queueing.text.printable import printable
from queueing.transactional import backlog
from queueing.transactional.databases import relayed

from . import alerts, outboxes
from .store import totals
from .workers import all_workers

WORKER_STATES = ("idle", "busy", "quiet", "stale", "lost")
_BOUNDS = (*map(str, BOUNDS_SECONDS), "+Inf")
#: The gauges of a queue: name, help text, value.
_QUEUE_GAUGES: tuple[tuple[str, str, Callable[[QueueFigures], float]], ...] = (
    (State.READY, "Messages that can be received now.", lambda queue: queue.ready),
    (State.DELAYED, "Messages that are due later.", lambda queue: queue.delayed),
    (State.RUNNING, "Messages that workers hold.", lambda queue: queue.running),
    (State.DEAD, "Messages in the dead-letter queue.", lambda queue: queue.dead),
    ("latency_seconds", "Age of the oldest ready message.", lambda queue: queue.latency_seconds),
    ("paused", "1 if the queue is paused.", lambda queue: int(queue.paused)),
)

#: The labels and the value of a sample.
Sample = tuple[dict[str, str], float]


def scrape(client: QueueClient, *, max_queues: int) -> tuple[bytes, str]:
    """The text of a scrape and its content type. Only the first ``max_queues`` queues by name are included.

    Raises ``QueueError`` if the queues cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(_Queues(client.reachable(), max_queues))
    encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Queues(Collector):
    """The collector of one scrape.

    Metrics of workers and outbox are left out if Redis refuses to report them.
    """

    def __init__(self, client: QueueClient, max_queues: int) -> None:
        self._client, self._max_queues = client, max_queues

    def collect(self) -> Iterator[Metric]:
        names = sorted(self._client.list_queues())
        found = self._client.queue_figures(names)
        figures = found[: self._max_queues]
        help = f"1 if there are more queues than the {self._max_queues} of this scrape."
        yield _gauge("queueing_queues_truncated", help, [({}, int(len(found) > len(figures)))])
        # Prometheus refuses a text with a duplicate series. So if several names are printed in the same way,
        # only the first of these queues is shown.
        shown = {printable(queue.name): queue for queue in reversed(figures)}
        yield from _of_queues(shown)
        yield from self._counted(shown)
        yield from _staged()
        yield from _partitions(self._client)
        for part in (self._workers, self._outbox):
            with alerts.incomplete_if_refused():
                yield from list(part())
        spoilt = dict.fromkeys(map(printable, alerts.spoilt_keys(self._client, names[: self._max_queues])))
        help = "1 for a key of Redis with a wrong type."
        yield _gauge("queueing_key_spoilt", help, [({"key": key}, 1) for key in spoilt])

    def _counted(self, queues: Mapping[str, QueueFigures]) -> Iterator[Metric]:
        totals_of = totals(self._client, [queue.name for queue in queues.values()])
        # Only queues with messages that a worker of this package has processed have counters.
        counted = [
            (shown, totals_of[queue.name])
            for shown, queue in queues.items()
            if any(totals_of[queue.name].words.values())
        ]
        ended = [
            ({"queue": name, "outcome": word}, count)
            for name, found in counted
            for word, count in found.words.items()
        ]
        yield _counter("queueing_deliveries_total", "Deliveries to workers, by how they ended.", ended)
        runs = [(name, found.run) for name, found in counted]
        yield _histogram("queueing_run_seconds", "How long runs took in workers.", runs)
        waits = [(name, found.wait) for name, found in counted]
        help = "How long messages that were due waited for their first run."
        yield _histogram("queueing_wait_seconds", help, waits)

    def _workers(self) -> Iterator[Metric]:
        workers = all_workers(self._client)
        alive = [worker for worker in workers if worker.is_alive]
        states = [({"state": s}, sum(worker.state == s for worker in workers)) for s in WORKER_STATES]
        yield _gauge("queueing_workers", "Workers, by what they do.", states)
        for name, help, value in (
            ("capacity", "Messages that workers can run at a time.", sum(w.capacity for w in alive)),
            ("busy", "Messages that workers run.", sum(w.busy for w in alive)),
            ("memory_bytes", "Memory of the processes of workers.", sum(w.memory_bytes for w in alive)),
        ):
            yield _gauge(f"queueing_workers_{name}", help, [({}, value)])

    def _outbox(self) -> Iterator[Metric]:
        stats = outboxes.stats(self._client)
        help = "Outcomes on their way to the database."
        yield _gauge("queueing_outbox_bytes", help, [({}, stats.size_bytes)])
        help = "Age of the oldest outcome on its way to the database."
        yield _gauge("queueing_outbox_oldest_seconds", help, [({}, stats.oldest_seconds)])
        help = "Outcomes missing in the history: they did not fit into the outbox or could not be read there."
        yield _counter("queueing_outbox_lost_total", help, [({}, stats.lost)])


def _staged() -> Iterator[Metric]:
    """Yield two gauges of staged messages by database: their number, and the age of the oldest one.

    A staged message is one that a transaction has stored, and that is not sent yet. A database that does not
    answer is left out.
    """
    found: dict[str, backlog.Figures] = {}
    for alias in relayed():
        with suppress(DatabaseError), database_guard():
            found[alias] = backlog.figures(alias)
    if not found:
        return
    counts = [
        ({"database": alias, "state": state}, count)
        for alias, figures in found.items()
        for state, count in (("waiting", figures.waiting), ("refused", figures.refused))
    ]
    yield _gauge("queueing_staged_messages", "Messages of transactions that are not sent yet.", counts)
    ages = [({"database": alias}, figures.oldest_seconds) for alias, figures in found.items()]
    yield _gauge("queueing_staged_oldest_seconds", "Age of the oldest message that waits to be sent.", ages)


def _partitions(client: QueueClient) -> Iterator[Metric]:
    """Yield a gauge that shows which partitions answer, if there are several."""
    if client.routing:
        names = [part.partition for part in client.parts]
        up = [({"partition": name}, 1) for name in names] + [({"partition": name}, 0) for name in client.away]
        yield _gauge("queueing_partition_up", "1 if the partition answers.", up)


def _of_queues(queues: Mapping[str, QueueFigures]) -> Iterator[Metric]:
    for name, help, value in _QUEUE_GAUGES:
        samples = [({"queue": shown}, value(queue)) for shown, queue in queues.items()]
        yield _gauge(f"queueing_queue_{name}", help, samples)
    sent = [({"queue": shown}, queue.attributes.totalsent) for shown, queue in queues.items()]
    yield _counter("queueing_queue_sent_total", "Messages that any program has sent.", sent)
    received = [({"queue": shown}, queue.attributes.totalrecv) for shown, queue in queues.items()]
    yield _counter("queueing_queue_received_total", "Receives by any program.", received)


def _gauge(name: str, help: str, samples: Iterable[Sample]) -> Metric:
    return _with_samples(GaugeMetricFamily(name, help), name, samples)


def _counter(name: str, help: str, samples: Iterable[Sample]) -> Metric:
    return _with_samples(CounterMetricFamily(name, help), name, samples)


def _with_samples(family: Metric, name: str, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family


def _histogram(name: str, help: str, of_queues: Iterable[tuple[str, Histogram]]) -> Metric:
    family = HistogramMetricFamily(name, help, labels=["queue"])
    for queue, histogram in of_queues:
        buckets = list(zip(_BOUNDS, accumulate(histogram.counts), strict=True))
        family.add_metric([queue], buckets, histogram.sum_seconds)
    return family
