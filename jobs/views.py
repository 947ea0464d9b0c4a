"""The page: one button, and below it the states of the messages.

The user is read from the database only if the request has a session cookie. The page works without the
database.
"""

import logging
from collections.abc import Callable
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure as csrf_failure_page
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from queueing.exceptions import QueueError, QueueFull, QueueRefused, QueueUnavailable
from queueing.resilience import bounded_view

from . import board, demos, hello, limits

logger = logging.getLogger(__name__)

#: The command that sends a message from a terminal, which has no CSRF token and so cannot use the button.
TERMINAL_COMMAND = 'python manage.py queues send testqueue "Hello"'


class SeeOther(HttpResponseRedirect):
    """The response to a form: a redirect that the browser follows with GET."""

    status_code = 303


@never_cache
@require_GET
@bounded_view
def home(request: HttpRequest) -> HttpResponse:
    """The page. It is complete without JavaScript."""
    return _page(request, _board(request))


@never_cache
@require_GET
@bounded_view
def state(request: HttpRequest) -> HttpResponse:
    """Respond with the part of the page that changes. The page requests it again and again.

    While Redis is down, the response is only an error banner. The browser then keeps the rows that it shows.
    """
    return render(request, "jobs/state.html", {"board": _board(request)})


@never_cache
@vary_on_headers("Accept")
@require_POST
@bounded_view
def job(request: HttpRequest) -> HttpResponse:
    """Send one message and respond without waiting for its run."""
    return _sending(request, lambda: demos.Sent(hello.send(request)))


@never_cache
@vary_on_headers("Accept")
@require_POST
@bounded_view
def demo(request: HttpRequest, name: str) -> HttpResponse:
    """Send the messages of a demo button. Only developers and staff may use it: other users get 403."""
    if name not in demos.DEMOS:
        raise Http404
    return _sending(request, lambda: demos.send(name, request))


def _sending(request: HttpRequest, send: Callable[[], demos.Sent]) -> HttpResponse:
    try:
        sent = send()
    except limits.Refused as refused:
        return _refusal(request, str(refused), refused.status, refused.retry_after_seconds)
    except QueueError as error:
        why = type(error).__name__ if isinstance(error, QueueUnavailable) else error
        logger.warning("A message could not be sent: %s", why)
        # A Redis that refuses writes may still show its queues.
        trouble = None if isinstance(error, QueueRefused) else error
        return _refusal(request, _not_sent(error), 503, retry_after_seconds=5, trouble=trouble)
    count = {"count": sent.count} if sent.count > 1 else {}
    if _wants_json(request):
        return JsonResponse({"id": sent.id, **count}, status=202)
    return SeeOther(f"{reverse('jobs:home')}?{urlencode({'sent': sent.id, **count})}")


@require_safe
def icon(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(static("jobs/icon.svg"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The response to a POST without a valid token: JSON for programs, Django's page for browsers."""
    if not _wants_json(request):
        return csrf_failure_page(request, reason)
    sentence = _(
        "This request has no valid CSRF token. On the page: reload it and press again. From a terminal: %s"
    )
    return JsonResponse({"error": sentence % TERMINAL_COMMAND, "command": TERMINAL_COMMAND}, status=403)


def _refusal(
    request: HttpRequest,
    sentence: str,
    status: int,
    retry_after_seconds: int,
    trouble: QueueError | None = None,
) -> HttpResponse:
    """Respond with ``sentence`` to a send that was refused, as JSON or on the page.

    ``trouble`` is the error of a failed call of Redis. If it is given, the page shows this error. Otherwise,
    the page calls Redis to show the queues.
    """
    if _wants_json(request):
        response: HttpResponse = JsonResponse({"error": sentence}, status=status)
    else:
        now = board.Board(trouble=trouble) if trouble else _board(request)
        response = _page(request, now, refusal=sentence, status=status)
    if retry_after_seconds:
        response["Retry-After"] = str(retry_after_seconds)
    return response


def _board(request: HttpRequest) -> board.Board:
    """Read the queues that this user may see: the queue of tasks only if the user may send tasks."""
    queues = (hello.QUEUE, demos.TASK_QUEUE) if demos.may_use(request) else (hello.QUEUE,)
    return board.read(request.GET.get("sent", ""), queues=queues)


def _page(request: HttpRequest, now: board.Board, *, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {
        "board": now,
        "refusal": refusal,
        "just_sent": board.JUST_SENT,
        "may_use_demos": demos.may_use(request),
        "sent_count": demos.count_of(request.GET.get("count", "")),
    }
    return render(request, "jobs/home.html", context, status=status)


def _not_sent(error: QueueError) -> str:
    if isinstance(error, QueueRefused):
        return _("Redis refuses to store data now, so your message was not sent. Press again in a moment.")
    if isinstance(error, QueueUnavailable):
        return _("Redis does not answer, so your message was probably not sent. Press again in a moment.")
    if isinstance(error, QueueFull):
        return _("Redis is full. It accepts no new messages until workers have made room.")
    # The text of Redis is for the log, because it names keys and scripts.
    return _("The queue cannot accept messages now. The log shows its operator the reason.")


def _wants_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
