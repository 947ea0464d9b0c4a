"""Determines the client's IP address, also behind a trusted proxy, and its network for rate limits."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

#: The prefix length of the IPv6 network that a provider gives one customer.
IPV6_PREFIX_BITS = 64


class ClientAddressMiddleware:
    """Puts the client's IP address into ``REMOTE_ADDR``, and its network into ``CLIENT_NETWORK``.

    A proxy appends the address that it saw to ``X-Forwarded-For``, so only the last entry is used. The client
    may have forged the other entries. Without ``TRUST_PROXY`` the header is ignored.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.TRUST_PROXY:
            request.META["REMOTE_ADDR"] = client_address(request)
        request.META["CLIENT_NETWORK"] = client_network(request)
        return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The last entry of ``X-Forwarded-For``, or the address of the peer if that entry is not an address."""
    last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return request.META.get("REMOTE_ADDR", "")


def client_network(request: HttpRequest) -> str | None:
    """The client's network, by which rate limits count requests. ``None`` if the request has no address.

    It is an IPv4 address or a /64 network of IPv6, because a provider's customer has all addresses of such a
    network. An IPv4-mapped IPv6 address counts as IPv4.
    """
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX_BITS), strict=False).network_address)
