"""Convert the URL of Redis to options of the driver. Error texts contain no part of the URL."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis import RedisError
from redis.connection import Connection, parse_url

SCHEMES = ("redis://", "rediss://", "unix://")
#: Allowed options in the query of a URL: those of the pool, and all. Options of TLS are also allowed.
POOL_OPTIONS = {"max_connections", "timeout"}
OPTIONS = POOL_OPTIONS | {
    "client_name", "db", "decode_responses", "encoding", "encoding_errors", "health_check_interval",
    "password", "protocol", "retry_on_timeout", "socket_connect_timeout", "socket_keepalive",
    "socket_read_size", "socket_timeout", "username",
}  # fmt: skip
ENCODE = "Write characters such as @ : / ? # and % in a user name or password percent-encoded (@ is %40)."


def options_of(url: str, *, tls_verify: bool = True) -> dict[str, Any]:
    """Options for the driver's pool. Raises ``ValueError`` with a sentence for the user."""
    if not url.startswith(SCHEMES):
        raise ValueError(f"It has to start with {', '.join(SCHEMES)}.")
    if re.search(r"\s", url):
        raise ValueError("It contains a blank or a line break.")
    _check(url)
    try:
        options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        _try(**options)
    except (TypeError, ValueError, AttributeError, RedisError):
        raise ValueError("An option in its query has a wrong value, or belongs to another scheme.") from None
    defaults: dict[str, Any] = {} if url.startswith("unix://") else {"socket_keepalive": True}
    if url.startswith("rediss://") and not tls_verify:
        defaults |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return defaults | options


def _check(url: str) -> None:
    """Refuse URLs that the driver would ignore in part, or would quote in its own error."""
    try:
        parts = urlsplit(url)
        names = set(parse_qs(parts.query, strict_parsing=True)) if parts.query else set()
        has_port = parts.port is not None
    except ValueError:
        raise ValueError(f"Its host, port or query cannot be read. {ENCODE}") from None
    if "#" in url:
        raise ValueError(f"It contains a #. {ENCODE}")
    if parts.scheme == "unix":
        if parts.hostname or has_port or len(parts.path) < 2:
            raise ValueError("Write an absolute path after unix://, as in unix:///run/redis.sock.")
    elif not re.fullmatch(r"(/\d*)?/?", parts.path):
        raise ValueError(f"Write the database as a number, as in redis://host:6379/0. {ENCODE}")
    if not all(name in OPTIONS or name.startswith("ssl_") for name in names):
        raise ValueError(f"Its query has an unknown option. {ENCODE}")


def _try(*, connection_class: type = Connection, **options: Any) -> None:
    """Check that the driver accepts the options. The connection that this makes is not opened."""
    connection_class(**{name: value for name, value in options.items() if name not in POOL_OPTIONS})
