"""By what the attempts to log in are counted: never by the account, which anybody could lock out."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

#: What one customer of a provider has of IPv6: all of its addresses are one guesser's.
IPV6_PREFIX_BITS = 64


def guesser_address(request: HttpRequest) -> str | None:
    """The client's address, of IPv6 the beginning of its network; ``None`` where there is none."""
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX_BITS), strict=False).network_address)
