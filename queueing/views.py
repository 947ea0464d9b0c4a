"""The views for programs: probes, and the figures of the queues for scrapers and autoscalers.

``/metrics`` and ``/queues.json`` ask for the token of the setting ``METRICS_TOKEN``. Without one they answer
in development only, because names and numbers of queues are not public.
"""

import hmac
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from functools import wraps
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
from .conf import get_conf
from .exceptions import QueueError, QueueRefused, QueueUnavailable
from .messages import QueueFigures
from .models import Job
from .monitoring import alerts
from .monitoring.rates import Rate, rate_of_all, read_rates
from .resilience.process_state import ProcessState

logger = logging.getLogger(__name__)

_View = TypeVar("_View", bound=Callable[..., HttpResponse])

#: How long ``/readyz`` waits for all of its answers.
PATIENCE_SECONDS = 1.5
SILENT = "does not answer"
#: The most queues in one answer, by name.
MAX_QUEUES = 1000


@dataclass(slots=True)
class _Question:
    """The last question of this process, and its answer to come."""

    lock: Lock = field(default_factory=Lock)
    answer: "Future[str] | None" = None


def for_machines(view: _View) -> _View:
    """Ask for no log-in, and open no transaction in any database: the view answers while they are away."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return login_not_required(view)


class Probe:
    """One thing that has to answer, asked in a thread of its own.

    No time-out of a driver bounds everything (a name that does not resolve, say), so the request
    waits for the thread and not for the driver. While a question is unanswered no second one is
    asked: probes that come every few seconds cannot pile up threads or connections.
    """

    def __init__(self, name: str, ask: Callable[[], None]) -> None:
        self.name = name
        self._ask = ask
        self._question = ProcessState(_Question)

    def start(self) -> Future[str]:
        """The answer to come: of a question asked now, or of one that is still open."""
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
        except QueueRefused as error:
            logger.warning("%s: %s", self.name, error)
            answer.set_result("refuses")
        except Exception as error:  # The text of another error may hold a password.
            logger.warning("%s does not answer: %s", self.name, type(error).__name__)
            answer.set_result(SILENT)
        else:
            answer.set_result("ok")


def _ask_redis() -> None:
    queueing.get_client().ping()


def _ask_database() -> None:
    connection = connections[Job.objects.db]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()  # this thread's own


PROBES = (Probe("redis", _ask_redis), Probe("database", _ask_database))


@for_machines
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all; asks neither Redis nor the database."""
    return HttpResponse("ok", content_type="text/plain")


@for_machines
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if Redis and the database answer, else 503. It names the one that does not, and never why."""
    deadline = monotonic() + PATIENCE_SECONDS
    answers = [(probe.name, probe.start()) for probe in PROBES]
    said = {name: _said(answer, deadline - monotonic()) for name, answer in answers}
    ready = all(word == "ok" for word in said.values())
    return JsonResponse({"ready": ready, **said}, status=200 if ready else 503)


def _said(answer: "Future[str]", patience_seconds: float) -> str:
    try:
        return answer.result(max(0.0, patience_seconds))
    except TimeoutError:
        return SILENT


# --- scrapers and autoscalers -------------------------------------------------------------------


def for_programs(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Ask for the token. If Redis does not answer, answer with the status 503 and one line."""

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


def has_prometheus_client() -> bool:
    """Whether the library that ``/metrics`` needs is installed."""
    return find_spec("prometheus_client") is not None


@for_programs
def metrics_text(request: HttpRequest) -> HttpResponse:
    """All queues and workers as metrics of Prometheus, or 501 without the library prometheus-client."""
    if not has_prometheus_client():
        return _line("This page needs prometheus-client: pip install prometheus-client", 501)
    from .monitoring import prometheus

    text, content_type = prometheus.scrape(queueing.get_client(), max_queues=MAX_QUEUES)
    return HttpResponse(text, content_type=content_type)


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
    rates = read_rates(client, figures)
    living = [queue for queue in figures if not is_dead_letter_queue(queue.name)]
    return JsonResponse(
        {
            "queues": {queue.name: _numbers([queue], rates[queue.name]) for queue in figures},
            "all": _numbers(living, rate_of_all(living, rates)),
            "truncated": max(len(found), len(named)) > MAX_QUEUES,
            "spoilt": alerts.spoilt_keys(client, names[:MAX_QUEUES]),
        }
    )


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    return is_bearer and hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


def _line(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)


def _numbers(figures: Sequence[QueueFigures], rate: Rate) -> dict[str, Any]:
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
