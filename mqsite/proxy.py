"""The address of the client, where a trusted proxy stands in front."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse


class ClientAddressMiddleware:
    """Puts the client's address into ``REMOTE_ADDR``, where everything else looks for it.

    The proxy appends the address that it saw to ``X-Forwarded-For``: only the last entry is its
    word, those before it are the client's own claims. Without ``TRUST_PROXY`` all of it is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.TRUST_PROXY:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["REMOTE_ADDR"] = client_address(request)
        return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The last entry of ``X-Forwarded-For``, or the peer's address where that is not an address."""
    last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return request.META.get("REMOTE_ADDR", "")
