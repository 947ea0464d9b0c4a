"""Converts the URL of Redis to options of redis-py.

Error texts contain no part of the URL, because it may contain a password.
"""

import re
from ssl import TLSVersion
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from redis import RedisError, __version__
from redis.connection import Connection, parse_url
from redis.crc import key_slot

from .discovery import Address, discover, owner_of, primary_named
from .refusals import of_nodes, of_sentinels
from .tls import check_files

try:
    from redis.driver_info import DriverInfo
except ImportError:  # before redis-py 7.2
    DRIVER: dict[str, Any] = {}
else:
    # Else redis-py parses the metadata of its package for each connection, which takes up to 9 ms and 2 MB.
    DRIVER = {"driver_info": DriverInfo(lib_version=__version__)}

SCHEMES = ("redis://", "rediss://", "unix://")
SENTINELS = ("redis+sentinel://", "rediss+sentinel://")
CLUSTERS = ("redis+cluster://", "rediss+cluster://")
SENTINEL_PORT, NODE_PORT = 26_379, 6379
#: Options that the query of a URL may contain: ``POOL_OPTIONS`` are for the pool, ``OPTIONS`` are all of
#: them. Options of TLS are allowed, too. They begin with ``ssl_``.
POOL_OPTIONS = {"max_connections", "timeout"}
OPTIONS = POOL_OPTIONS | {
    "client_name", "db", "decode_responses", "encoding", "encoding_errors", "health_check_interval",
    "password", "protocol", "retry_on_timeout", "socket_connect_timeout", "socket_keepalive",
    "socket_read_size", "socket_timeout", "username",
}  # fmt: skip
#: Matches a URL with several hosts, without its scheme: login, hosts, path and query.
SEVERAL = re.compile(r"(?:([^@/?#]*)@)?([^@/?#]*)(?:/([^?#]*))?(?:\?([^#]*))?")
ENCODE = "Write characters such as @ : / ? # and % in a user name or password percent-encoded (@ is %40)."


def options_of(url: str, *, tls_verify: bool = True, namespace: str = "{rsmq}") -> dict[str, Any]:
    """Convert ``url`` to the options of redis-py's connection pool.

    For a cluster, the connections lead to the node that stores the keys of ``namespace``. If ``tls_verify``
    is false, certificates are verified only if an option in ``url`` requires it. Raises ``ValueError`` with a
    message for the user.
    """
    if url.startswith(CLUSTERS):
        return _by_nodes(url, tls_verify, namespace)
    if url.startswith(SENTINELS):
        return _by_sentinels(url, tls_verify)
    if not url.startswith(SCHEMES):
        raise ValueError(f"It has to start with {', '.join((*SCHEMES, *SENTINELS, *CLUSTERS))}.")
    if re.search(r"\s", url):
        raise ValueError("It contains a blank or a line break.")
    _check(url)
    try:
        options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        _try(**DRIVER, **options)
    except (TypeError, ValueError, AttributeError, RedisError):
        raise ValueError("An option in its query has a wrong value, or belongs to another scheme.") from None
    if url.startswith("rediss://"):
        check_files(options)
    defaults: dict[str, Any] = {} if url.startswith("unix://") else {"socket_keepalive": True}
    if url.startswith("rediss://"):
        # redis-py before 6 does not check the host by default.
        defaults["ssl_check_hostname"] = tls_verify and options.get("ssl_cert_reqs") != "none"
        if not tls_verify:
            defaults["ssl_cert_reqs"] = "none"
    return defaults | DRIVER | options


def _by_sentinels(url: str, tls_verify: bool) -> dict[str, Any]:
    """The options for ``redis+sentinel://login@host,host/primary/database?options``.

    ``primary`` is the name under which the sentinels know the primary, such as ``mymaster``.
    """
    scheme, login, hosts, path, query = _parts(url)
    name, *database = path.removesuffix("/").split("/")
    if not name or len(database) > 1:
        raise ValueError(
            "After the hosts write the name of the primary that the sentinels use, then the database, as in "
            "redis+sentinel://host:26379/mymaster/0."
        )
    servers = _addresses(hosts, SENTINEL_PORT)
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    own = {key: unquote_plus(value) for key, _, value in pairs if key.startswith("sentinel_")}
    if not set(own) <= {"sentinel_username", "sentinel_password"}:
        raise ValueError(f"Its query has an unknown option. {ENCODE}")
    rest = "&".join("".join(pair) for pair in pairs if pair[0] not in own)
    plain = f"{scheme}://{login}{hosts.split(',')[0]}/{''.join(database)}{rest and '?'}{rest}"
    options = options_of(plain, tls_verify=tls_verify)
    for_sentinels = {key.removeprefix("sentinel_"): value for key, value in own.items()}
    return discover(servers, primary_named(unquote(name)), options, of_sentinels, **for_sentinels)


def _by_nodes(url: str, tls_verify: bool, namespace: str) -> dict[str, Any]:
    """The options for ``redis+cluster://login@host,host?options``."""
    scheme, login, hosts, path, query = _parts(url)
    if path.removesuffix("/") not in ("", "0"):
        raise ValueError("A cluster has only the database 0. Write redis+cluster://host:6379,host:6379.")
    servers = _addresses(hosts, NODE_PORT)
    options = options_of(
        f"{scheme}://{login}{hosts.split(',')[0]}{query and '?'}{query}", tls_verify=tls_verify
    )
    if options.get("db"):
        raise ValueError("A cluster has only the database 0.")
    own = {name: options[name] for name in ("username", "password") if name in options}
    slot = key_slot(f"{namespace}:".encode())
    found = discover(servers, owner_of(slot), options, of_nodes, **own)
    found["discovery"].is_cluster = True
    return found


def has_hash_tag(namespace: str) -> bool:
    """Whether ``namespace`` has a hash tag (``{…}``), so that a cluster stores all its keys on one node."""
    _, brace, rest = namespace.partition("{")
    return bool(brace) and rest.find("}") > 0


def _parts(url: str) -> tuple[str, str, str, str, str]:
    """Split a URL with several hosts into scheme, login with its ``@``, hosts, path and query.

    The scheme is returned without its suffix, such as ``redis`` for ``redis+cluster``.
    """
    scheme, _, rest = url.partition("://")
    found = SEVERAL.fullmatch(rest)
    if not found or "@" in (found[3] or ""):
        raise ValueError(f"Its hosts cannot be read. {ENCODE}")
    if re.search(r"\s", rest):
        raise ValueError("It contains a blank or a line break.")
    login, hosts, path, query = found.groups(default="")
    return scheme.partition("+")[0], f"{login}@" if login else "", hosts, path, query


def _addresses(hosts: str, usual_port: int) -> list[Address]:
    """Split ``hosts`` at commas into pairs of host and port. The default port is ``usual_port``."""
    found: list[Address] = []
    for host in hosts.split(","):
        try:
            parts = urlsplit(f"redis://{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            name, port = None, None
        if not name:
            raise ValueError("Write each host as host:port or host, with a comma between two of them.")
        found.append((name, port or usual_port))
    return found


def _check(url: str) -> None:
    """Raise ``ValueError`` if redis-py would ignore a part of ``url``, or would quote it in an error text."""
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
    """Check that redis-py accepts the options: make a connection with them, but do not open it."""
    connection_class(**{name: value for name, value in options.items() if name not in POOL_OPTIONS})
    # These values would raise other errors later, when the connection is opened.
    if any(options.get(name, 0) < 0 for name in ("timeout", "socket_timeout", "socket_connect_timeout")):
        raise ValueError
    if "ssl_min_version" in options:
        TLSVersion(options["ssl_min_version"])
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise ValueError
