"""Discovery: finds the Redis server that stores the queues at the moment.

It asks sentinels for the primary, or nodes of a cluster for the owner of a slot. A connection asks each time
it connects, so after a failover its next try reaches the new primary.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from redis import exceptions as driver
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from .tls import explain

#: Host and port.
Address = tuple[str, int]
#: A function that asks a connected server for an address. Returns ``None`` if the server does not know it.
Question = Callable[[Any], Address | None]

#: A function that makes a sentence from the error reply of a server, or from ``None`` if the server does not
#: know the address. It returns ``""`` for an error that may pass.
Explain = Callable[[driver.RedisError | None], str]

#: How long to wait for the answer of one server before the next server is asked.
ASK_SECONDS = 0.5
#: How long all servers together may take, if the connection has no timeout of its own.
ALL_SECONDS = 5.0


class NotNamed(driver.ConnectionError):
    """None of the asked servers has named the server that stores the queues.

    ``refusal`` is a sentence for the user, for example about a wrong password. It is ``""`` if the error may
    pass.
    """

    def __init__(self, text: str, refusal: str) -> None:
        super().__init__(text)
        self.refusal = refusal


class Discovery:
    """Asks ``servers`` one after the other which server stores the queues.

    The next search begins with another server, because a server that is cut off from the others may answer
    with a wrong address. Servers that did not answer are asked last. Threads and forks may share an instance.
    """

    def __init__(
        self,
        servers: Sequence[Address],
        question: Question,
        connection_class: type[Connection],
        options: Mapping[str, Any],
        explain: Explain,
    ) -> None:
        """``question`` asks one server. ``options`` are the options of the connections to ``servers``.

        ``explain`` makes a sentence for the user from the error reply of a server.
        """
        self._servers, self._question, self._explain = tuple(servers), question, explain
        self._connection_class, self._options = connection_class, options
        self._silent: frozenset[Address] = frozenset()
        #: Whether the servers are nodes of a cluster. Then a node may reply that another node has the queues.
        self.is_cluster = False

    def find(self, seconds: float | None) -> Address:
        """The address of the server that stores the queues.

        ``seconds`` is the time limit, ``None`` for ``ALL_SECONDS``. Raises ``redis.ConnectionError`` if no
        server names an address in time.
        """
        end = monotonic() + (seconds or ALL_SECONDS)
        reason, refusal = "they do not answer", ""
        for server in self._servers:
            left = end - monotonic()
            if left <= 0:
                break
            try:
                found = self._ask(server, min(left, ASK_SECONDS))
            except (driver.RedisError, OSError) as error:
                reason = str(error) or type(error).__name__
                refusal = refusal or getattr(error, "refusal", "")
                refusal = refusal or (self._explain(error) if isinstance(error, driver.RedisError) else "")
                self._note(server, is_silent=True)
                continue
            self._note(server, is_silent=False)
            if found:
                return found
            reason, refusal = "they do not know it", refusal or self._explain(None)
        raise NotNamed(f"No server of {len(self._servers)} names the primary: {reason}", refusal)

    def _ask(self, server: Address, seconds: float) -> Address | None:
        host, port = server
        options = {**self._options, "socket_timeout": seconds, "socket_connect_timeout": seconds}
        connection: Any = self._connection_class(host=host, port=port, **options)
        try:
            connection.connect()
            return self._question(connection)
        except driver.RedisError as error:
            explain(error, connection)
            raise
        finally:
            connection.disconnect()

    def _note(self, server: Address, *, is_silent: bool) -> None:
        """Move ``server`` to the end of the servers that answer. A silent server moves to the end of all."""
        silent = self._silent | {server} if is_silent else self._silent - {server}
        turn = [*(other for other in self._servers if other != server), server]
        self._servers = tuple(sorted(turn, key=lambda each: each in silent))
        self._silent = silent


class _Finding:
    """A mixin that makes a connection ask ``discovery`` for the server each time it connects."""

    socket_connect_timeout: float | None

    def __init__(self, *, discovery: Discovery, **options: Any) -> None:
        super().__init__(**options)
        self._discovery = discovery

    def _connect(self) -> Any:
        # This method is private, but it is the only one that opens the socket in every version of redis-py.
        self.host, self.port = self._discovery.find(self.socket_connect_timeout)
        return super()._connect()  # type: ignore[misc]


class FoundConnection(_Finding, Connection):
    """A connection without TLS to the server that ``discovery`` finds."""


class FoundSSLConnection(_Finding, SSLConnection):
    """A connection with TLS to the server that ``discovery`` finds."""


def primary_named(name: str) -> Question:
    """A function that asks a sentinel for the primary called ``name``."""

    def ask(connection: Any) -> Address | None:
        connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
        found = connection.read_response(disable_decoding=True)
        return (found[0].decode(), int(found[1])) if found else None

    return ask


def owner_of(slot: int) -> Question:
    """A function that asks a node of a cluster for the primary that owns ``slot``."""

    def ask(connection: Any) -> Address | None:
        connection.send_command("CLUSTER", "SLOTS")
        for first, last, (host, port, *_), *_ in connection.read_response(disable_decoding=True):
            if first <= slot <= last:
                # A node that does not know its own address leaves it out.
                name = (host or b"").decode()
                return (connection.host if name in ("", "?") else name), port
        return None

    return ask


def discover(
    servers: Sequence[Address],
    question: Question,
    options: Mapping[str, Any],
    explain: Explain,
    **login: str,
) -> dict[str, Any]:
    """Return the ``options`` of a connection, changed so that it asks ``servers`` where to connect.

    ``question`` is the function that asks a server, and ``explain`` describes its errors. ``login`` has the
    user name and password for ``servers``, which may differ from those for Redis.
    """
    is_encrypted = options.get("connection_class") is SSLConnection
    asking = {name: value for name, value in options.items() if name.startswith(("ssl_", "socket_"))}
    asking |= {"protocol": 2, "retry": Retry(NoBackoff(), 0), **login}
    found = Discovery(servers, question, SSLConnection if is_encrypted else Connection, asking, explain)
    connection_class = FoundSSLConnection if is_encrypted else FoundConnection
    return {**options, "connection_class": connection_class, "discovery": found}
