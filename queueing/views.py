"""Views for programs: probes, and figures of the queues for scrapers and autoscalers.

``/metrics`` and ``/queues.json`` require the token of the setting ``METRICS_TOKEN``. If no token is set, they
answer in development only, because names and figures of queues are not public.
"""

import hmac
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from importlib.util import find_spec
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

import queueing

from .broker.keys import is_dead_letter_queue
from .broker.outcomes import COUNTED
from .broker.places import DEFAULT
from .conf import get_conf
from .exceptions import QueueError, QueueRefused, QueueUnavailable
from .messages import QueueFigures
from .models import Job
from .monitoring import alerts
from .monitoring.rates import Rate, rate_of_all, read_rates
from .resilience.process_state import ProcessState

logger = logging.getLogger(__name__)

_View = TypeVar("_View", bound=Callable[..., HttpResponse])

#: ``/readyz`` waits at most this long for all checks together.
PATIENCE_SECONDS = 1.5
SILENT = "does not answer"
#: If Redis refuses a call, the text of the error has a code in brackets, such as ``(OOM)``. This pattern
#: finds the code.
CODE = re.compile(r"\([A-Z]+\)")
#: A response has at most this many queues, the first ones by name.
MAX_QUEUES = 1000


@dataclass(slots=True)
class _Question:
    """The last check that this process has begun for a probe. ``answer`` is the ``Future`` of its result."""

    lock: Lock = field(default_factory=Lock)
    answer: "Future[str] | None" = None


def for_machines(view: _View) -> _View:
    """Exempt a view from Django's login and from transactions, so that it works without the database."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return login_not_required(view)


class Probe:
    """A check of one service, in a thread of its own.

    The timeouts of drivers do not cover everything, for example name resolution. So the request waits for the
    thread only for a limited time. A new check starts only after the last check has ended, so frequent probes
    cannot accumulate threads or connections.
    """

    def __init__(self, name: str, ask: Callable[[], None]) -> None:
        self.name = name
        self._ask = ask
        self._question = ProcessState(_Question)

    def start(self) -> Future[str]:
        """Start a check, unless the last check still runs. Returns the ``Future`` of the running check."""
        question = self._question.get()
        with question.lock:
            if question.answer is None or question.answer.done():
                question.answer = Future()
                answering = (question.answer,)
                Thread(target=self._run, args=answering, name=f"probe-{self.name}", daemon=True).start()
            return question.answer

    def _run(self, answer: "Future[str]") -> None:
        try:
            self._ask()
        except QueueError as error:
            if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
                answer.set_result(self._silent(error))
            else:
                logger.warning("%s: %s", self.name, error)
                code = CODE.search(str(error))
                answer.set_result(f"refuses {code[0]}" if code else "refuses")
        except Exception as error:
            answer.set_result(self._silent(error))
        else:
            answer.set_result("ok")

    def _silent(self, error: Exception) -> str:
        # The text of the error may contain a password.
        logger.warning("%s does not answer: %s", self.name, type(error).__name__)
        return SILENT


def _ask_redis(partition: str = DEFAULT) -> None:
    [part] = [one for one in queueing.get_client().parts if one.partition == partition]
    part.ping()


def _ask_database() -> None:
    connection = connections[Job.objects.db]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()  # this thread's own


@cache
def _probe_of(partition: str) -> Probe:
    return Probe(f"redis of {partition}", partial(_ask_redis, partition))


PROBES = (Probe("redis", _ask_redis), Probe("database", _ask_database))


@for_machines
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Respond with 200 as long as the process works. It checks neither Redis nor the database."""
    return HttpResponse("ok", content_type="text/plain")


@for_machines
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Respond with 200 if Redis and the database answer, else 503.

    The response has the result for each service. If Redis refuses the check, its result has the error code of
    Redis; the reason is in the log. If there are several partitions, ``partitions`` has the result of each.
    Redis counts as answering if one partition answers, because the queues of this partition continue to work.
    """
    deadline = monotonic() + PATIENCE_SECONDS
    answers = [(probe.name, probe.start()) for probe in PROBES]
    names = get_conf().partitions if get_conf().PARTITIONS else ()
    of_partitions = [(name, _probe_of(name).start()) for name in names]
    said: dict[str, Any] = {name: _said(answer, deadline - monotonic()) for name, answer in answers}
    words = {name: _said(answer, deadline - monotonic()) for name, answer in of_partitions}
    if words:
        said["redis"] = "ok" if "ok" in words.values() else said["redis"]
    ready = all(word == "ok" for word in said.values())
    of_each = {"partitions": words} if words else {}
    return JsonResponse({"ready": ready, **said, **of_each}, status=200 if ready else 503)


def _said(answer: "Future[str]", patience_seconds: float) -> str:
    try:
        return answer.result(max(0.0, patience_seconds))
    except TimeoutError:
        return SILENT


# --- scrapers and autoscalers -------------------------------------------------------------------


def for_programs(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Wrap a view so that it requires the token of the setting ``METRICS_TOKEN``.

    If Redis does not answer, or refuses the call, the response is 503 with one line of text.
    """

    @for_machines
    @wraps(view)
    @never_cache
    @require_safe
    def answer(request: HttpRequest) -> HttpResponse:
        token = get_conf().METRICS_TOKEN
        if not token and not settings.DEBUG:
            return _line('No token is set. Set QUEUEING["METRICS_TOKEN"], and send it with the request.', 403)
        if token and not _has_token(request, token):
            refusal = _line("The token of METRICS_TOKEN is needed: Authorization: Bearer …", 401)
            refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refusal
        try:
            return view(request)
        except QueueError as error:
            if isinstance(error, QueueUnavailable) and not isinstance(error, QueueRefused):
                # The text may contain an address, which the caller must not see.
                return _line(f"Redis does not answer ({type(error).__name__}).", 503)
            logger.warning("a scrape cannot be answered: %s", error)
            return _line("Redis refuses to show the queues. The log of this process has the reason.", 503)

    return answer


def has_prometheus_client() -> bool:
    """Whether the library that ``/metrics`` needs is installed."""
    return find_spec("prometheus_client") is not None


@for_programs
def metrics_text(request: HttpRequest) -> HttpResponse:
    """Respond with Prometheus metrics of all queues and workers, or 501 if prometheus-client is missing."""
    if not has_prometheus_client():
        return _line('This page needs prometheus-client: pip install "django-rsmq[prometheus]"', 501)
    from .monitoring import prometheus

    text, content_type = prometheus.scrape(queueing.get_client(), max_queues=MAX_QUEUES)
    return HttpResponse(text, content_type=content_type)


@for_programs
def queues_json(request: HttpRequest) -> JsonResponse:
    """Respond with the figures of each queue, or of each queue in ``?queue=``.

    ``all`` has the figures of these queues together, without dead-letter queues, which need no workers.
    ``truncated`` is true if there are more queues than the response has. ``spoilt`` lists keys of Redis with
    a wrong type. With several partitions, ``partitions_away`` lists those that do not answer.
    """
    client = queueing.get_client().reachable()
    named = request.GET.getlist("queue")
    names = named[:MAX_QUEUES] or sorted(client.list_queues())
    found = client.queue_figures(names)
    figures = found[:MAX_QUEUES]
    rates = read_rates(client, figures)
    living = [queue for queue in figures if not is_dead_letter_queue(queue.name)]
    return JsonResponse(
        {
            "queues": {queue.name: _numbers([queue], rates[queue.name]) for queue in figures},
            "all": _numbers(living, rate_of_all(living, rates)),
            "truncated": max(len(found), len(named)) > MAX_QUEUES,
            "spoilt": alerts.spoilt_keys(client, names[:MAX_QUEUES]),
            **({"partitions_away": list(client.away)} if client.routing else {}),
        }
    )


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    return is_bearer and hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


def _line(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)


def _numbers(figures: Sequence[QueueFigures], rate: Rate) -> dict[str, Any]:
    """The figures of one queue, or of several queues together, as a dict.

    For several queues, the numbers are sums, the latency is the highest, and ``paused`` is true if all queues
    are paused. ``rate`` is the rate of all these queues together.
    """
    return {
        **{str(name): sum(getattr(q, name) for q in figures) for name in COUNTED},
        "latency_seconds": max((queue.latency_seconds for queue in figures), default=0.0),
        "paused": bool(figures) and all(queue.paused for queue in figures),
        "in_per_second": rate.in_per_second,
        "out_per_second": rate.out_per_second,
        "failure_ratio": rate.failure_ratio,
        "drain_seconds": rate.drain_seconds,
    }
