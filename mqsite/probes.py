"""Middleware that answers the health check before any other middleware runs."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from queueing.views import healthz


class ProbeMiddleware:
    """Answers ``/healthz``. A hosting platform calls this path by IP address and without TLS.

    Other middleware would refuse such a request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return healthz(request) if request.path == "/healthz" else self.get_response(request)
