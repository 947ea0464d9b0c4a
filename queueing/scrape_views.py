"""For programs: ``/metrics`` for Prometheus and ``/queues.json`` for autoscalers, read from Redis when asked.

Both want the token of the setting ``METRICS_TOKEN``. Without one they answer in development only: names
and numbers of queues are nobody's business.
"""

import hmac
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

import queueing

from . import monitoring
from .broker import outbox
from .broker.keys import is_dead_letter_queue
from .broker.outcomes import COUNTED, State
from .broker.timings import BOUNDS_SECONDS
from .client import QueueClient, sweep
from .conf import get_conf
from .exceptions import QueueError, QueueRefused, QueueUnavailable
from .messages import QueueFigures
from .monitoring import prometheus
from .monitoring.prometheus import Exposition
from .monitoring.workers import read_workers
from .views import for_machines

logger = logging.getLogger("queueing")

#: Queues that are told of, by name: an answer must not grow without end.
MAX_QUEUES = 1000
WORKER_STATES = ("idle", "busy", "quiet", "stale", "lost")

View = Callable[[HttpRequest], HttpResponse]


def for_programs(view: View) -> View:
    """Ask for the token; tell in one line when Redis is away, with the status 503."""

    @for_machines
    @wraps(view)
    @never_cache
    @require_safe
    def answer(request: HttpRequest) -> HttpResponse:
        token = get_conf().METRICS_TOKEN
        if not token and not settings.DEBUG:
            return _line('No token is set: QUEUEING["METRICS_TOKEN"] is the one to ask with.', 403)
        if token and not _has_token(request, token):
            refusal = _line("The token of METRICS_TOKEN is needed: Authorization: Bearer …", 401)
            refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refusal
        try:
            return view(request)
        except QueueError as error:
            if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
                # Its text may hold an address, and the caller needs none.
                return _line(f"Redis does not answer ({type(error).__name__}).", 503)
            logger.warning("a scrape cannot be answered: %s", error)
            return _line("Redis refuses to show the queues; the log of this process says why.", 503)

    return answer


@for_programs
def metrics_text(request: HttpRequest) -> HttpResponse:
    """All queues and workers in the text format of Prometheus."""
    client = queueing.get_client()
    names = sorted(client.list_queues())
    found = client.queue_figures(names)
    figures = found[:MAX_QUEUES]
    text = Exposition()
    help = f"1 where there are more queues than the {MAX_QUEUES} told of here."
    text.gauge("queueing_queues_truncated", help, [({}, int(len(found) > len(figures)))])
    _write_queues(text, figures)
    _write_counted(text, client, figures)
    # A key that cannot be read costs the figures that come from it, and is one itself.
    for write in (_write_workers, _write_outbox):
        with _tolerance():
            write(text, client)
    spoilt = [({"key": key}, 1) for key in _spoilt_keys(client, names[:MAX_QUEUES])]
    text.gauge("queueing_key_spoilt", "1 for a key of Redis that is not what it should be.", spoilt)
    return HttpResponse(str(text), content_type=prometheus.CONTENT_TYPE)


@for_programs
def queues_json(request: HttpRequest) -> JsonResponse:
    """The figures of all queues, or of those named by ``?queue=``, and of all together.

    ``all`` leaves dead-letter queues out: nobody has to be started for them. ``truncated`` says that there
    are more queues, which are in none of it. ``spoilt`` names keys of Redis that are not what they should be.
    """
    client = queueing.get_client()
    named = request.GET.getlist("queue")
    names = named[:MAX_QUEUES] or sorted(client.list_queues())
    found = client.queue_figures(names)
    figures = found[:MAX_QUEUES]
    rates = monitoring.rates(client, figures)
    living = [queue for queue in figures if not is_dead_letter_queue(queue.name)]
    return JsonResponse(
        {
            "queues": {queue.name: _numbers([queue], rates[queue.name]) for queue in figures},
            "all": _numbers(living, monitoring.rate_of_all(living, rates)),
            "truncated": max(len(found), len(named)) > MAX_QUEUES,
            "spoilt": _spoilt_keys(client, names[:MAX_QUEUES]),
        }
    )


def _spoilt_keys(client: QueueClient, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    with _tolerance():
        found = [error.key for error in sweep.spoilt_keys(client.session, names)]
    return found


@contextmanager
def _tolerance() -> Iterator[None]:
    """Within, what Redis refuses to show is left out, and logged."""
    try:
        yield
    except QueueUnavailable:
        raise
    except QueueError as error:
        logger.warning("a scrape is incomplete: %s", error)


# --- the token --------------------------------------------------------------------------------


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    return is_bearer and hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


def _line(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)


# --- queues.json ------------------------------------------------------------------------------


def _numbers(figures: Sequence[QueueFigures], rate: monitoring.Rate) -> dict[str, Any]:
    """One queue, or several together: of the latency the worst."""
    return {
        **{str(name): sum(getattr(q, name) for q in figures) for name in COUNTED},
        "latency_seconds": max((queue.latency_seconds for queue in figures), default=0.0),
        "paused": bool(figures) and all(queue.paused for queue in figures),
        "in_per_second": rate.in_per_second,
        "out_per_second": rate.out_per_second,
        "failure_ratio": rate.failure_ratio,
        "drain_seconds": rate.drain_seconds,
    }


# --- the families of /metrics -----------------------------------------------------------------


def _write_queues(text: Exposition, figures: Sequence[QueueFigures]) -> None:
    gauges = {
        State.READY: ("Messages that can be received now.", lambda queue: queue.ready),
        State.DELAYED: ("Messages that are due later.", lambda queue: queue.delayed),
        State.RUNNING: ("Messages that workers hold.", lambda queue: queue.running),
        State.DEAD: ("Messages in the dead-letter queue.", lambda queue: queue.dead),
        "latency_seconds": ("Age of the oldest ready message.", lambda queue: queue.latency_seconds),
        "paused": ("1 where the queue gives out no messages.", lambda queue: int(queue.paused)),
    }
    for name, (help, value) in gauges.items():
        text.gauge(f"queueing_queue_{name}", help, [(_queue(queue.name), value(queue)) for queue in figures])
    sent = [(_queue(queue.name), queue.attributes.totalsent) for queue in figures]
    text.counter("queueing_queue_sent_total", "Messages that any program has sent.", sent)
    received = [(_queue(queue.name), queue.attributes.totalrecv) for queue in figures]
    text.counter("queueing_queue_received_total", "Receives by any program.", received)


def _write_counted(text: Exposition, client: QueueClient, figures: Sequence[QueueFigures]) -> None:
    counted = monitoring.totals(client, [queue.name for queue in figures])
    # A queue that no worker of ours takes has none of it.
    counted = {name: found for name, found in counted.items() if any(found.words.values())}
    ended = [
        ({"queue": name, "outcome": word}, count)
        for name, found in counted.items()
        for word, count in found.words.items()
    ]
    text.counter("queueing_deliveries_total", "Deliveries to workers, by how they ended.", ended)
    runs = [(_queue(name), found.run.counts, found.run.sum_seconds) for name, found in counted.items()]
    text.histogram("queueing_run_seconds", "How long runs took in workers.", BOUNDS_SECONDS, runs)
    waits = [(_queue(name), found.wait.counts, found.wait.sum_seconds) for name, found in counted.items()]
    help = "How long messages that were due waited for their first run."
    text.histogram("queueing_wait_seconds", help, BOUNDS_SECONDS, waits)


def _write_workers(text: Exposition, client: QueueClient) -> None:
    workers = read_workers(client.session)
    states = [({"state": s}, sum(worker.state == s for worker in workers)) for s in WORKER_STATES]
    alive = [worker for worker in workers if worker.is_alive]
    text.gauge("queueing_workers", "Workers, by what they do.", states)
    capacity = sum(worker.capacity for worker in alive)
    text.gauge("queueing_workers_capacity", "Messages that workers can run at a time.", [({}, capacity)])
    busy = sum(worker.busy for worker in alive)
    text.gauge("queueing_workers_busy", "Messages that workers run.", [({}, busy)])
    memory = sum(worker.memory_bytes for worker in alive)
    text.gauge("queueing_workers_memory_bytes", "Memory of the processes of workers.", [({}, memory)])


def _write_outbox(text: Exposition, client: QueueClient) -> None:
    stats = outbox.stats(client.session)
    text.gauge("queueing_outbox_bytes", "Outcomes on their way to the database.", [({}, stats.size_bytes)])
    text.gauge("queueing_outbox_oldest_seconds", "Age of the oldest of these.", [({}, stats.oldest_seconds)])
    help = "Outcomes missing in the history: they did not fit into the outbox or could not be read there."
    text.counter("queueing_outbox_lost_total", help, [({}, stats.lost)])


def _queue(name: str) -> dict[str, str]:
    return {"queue": name}
