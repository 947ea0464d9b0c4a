"""The probes: whether the process answers, and whether what it needs does."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic
from typing import TypeVar

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

import queueing

from .exceptions import QueueRefused
from .models import Job
from .resilience.process_state import ProcessState

logger = logging.getLogger(__name__)

_View = TypeVar("_View", bound=Callable[..., HttpResponse])

#: How long ``/readyz`` waits for all of its answers.
PATIENCE_SECONDS = 1.5
SILENT = "does not answer"


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
