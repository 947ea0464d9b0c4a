"""How this process reaches Redis: one bounded pool, the driver's retry off, and a listener beside it.

Small plans allow twenty connections, and a deploy runs old and new side by side, so a process never
opens one per thread: a thread waits for one of the pool, and gets a clear error after a second.
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing.broker.address import options_of
from queueing.broker.pool import Pool
from queueing.conf import Config, get_conf

from . import QueueClient

#: Seconds a thread waits for a free connection of the pool.
POOL_PATIENCE_SECONDS = 1.0

#: The client that ``get_client`` returns, as ``client``, and as ``built`` too if the settings made it.
#: To make it takes no lock, so that a fork cannot inherit one that is held.
_shared: dict[str, QueueClient] = {}


def connect(conf: Config, *, connections: int | None = None, timeout: float | None = None) -> QueueClient:
    """A client of its own pool. It connects at its first call, not here.

    ``connections`` and ``timeout`` (seconds) take the place of ``MAX_CONNECTIONS`` and ``TIMEOUT``. Raises
    ``ImproperlyConfigured`` for an address that cannot be used.
    """
    try:
        address = options_of(conf.URL, tls_verify=conf.TLS_VERIFY)
    except ValueError as error:
        raise ImproperlyConfigured(f'QUEUEING["URL"] is not the address of a Redis. {error}') from None
    options: dict[str, Any] = {
        "max_connections": conf.MAX_CONNECTIONS,
        "timeout": POOL_PATIENCE_SECONDS,
        "socket_timeout": conf.TIMEOUT,
        "socket_connect_timeout": conf.TIMEOUT,
        "protocol": 2,
        **address,
        "retry": Retry(NoBackoff(), 0),
    }
    if connections:
        options["max_connections"] = connections
    if timeout:
        options["socket_timeout"] = options["socket_connect_timeout"] = timeout
    pool = Pool(**options)
    return QueueClient(Redis(connection_pool=pool), ns=conf.NAMESPACE, outbox_max=conf.OUTBOX_MAX)


def shared_client() -> QueueClient:
    """The one client of this process. Forks may go on with it."""
    try:
        return _shared["client"]
    except KeyError:
        return _shared.setdefault("client", _shared.setdefault("built", connect(get_conf())))


def use_client(client: QueueClient | None) -> None:
    """Make ``client`` the one that ``get_client`` returns; ``None``: build it again when asked.

    Such a client stays when tests change ``QUEUEING``.
    """
    _shared.clear()
    if client is not None:
        _shared["client"] = client


def _follow_settings(*, setting: str, **_: Any) -> None:
    """After ``override_settings(QUEUEING=…)`` the next call gets a client for the new values."""
    if setting == "QUEUEING" and (built := _shared.get("built")):
        use_client(None)
        built.redis.connection_pool.disconnect(inuse_connections=False)


setting_changed.connect(_follow_settings)
