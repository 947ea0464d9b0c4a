"""The Content-Security-Policy of every page: only resources of the site itself, nothing inline."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "Content-Security-Policy"


class ContentSecurityPolicyMiddleware:
    """Adds ``CONTENT_SECURITY_POLICY`` to each response that has no policy of its own.

    Django 6.0 has such a middleware, too, but this one also runs on Django 5.2. It makes no nonces, because
    no page needs them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not _is_debug_page(response):
            response.headers.setdefault(HEADER, settings.CONTENT_SECURITY_POLICY)
        return response


def _is_debug_page(response: HttpResponse) -> bool:
    """Whether the response may be one of Django's error pages for developers, which need inline styles."""
    return settings.DEBUG and response.status_code in {403, 404, 500}
