"""The probe of the process, answered before any other middleware."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from queueing.views import healthz


class ProbeMiddleware:
    """A platform asks by address, without its proxy: no allowed host, no TLS, and neither is needed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return healthz(request) if request.path == "/healthz" else self.get_response(request)
