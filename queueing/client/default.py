"""The client of this process, and queues that are created if they are missing.

A process has one bounded pool: small plans allow twenty connections, and a deploy runs old and new side by
side. A thread waits for a connection of the pool, and gets a clear error after a second.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing.broker import task_queues
from queueing.broker.address import options_of
from queueing.broker.pool import Pool
from queueing.conf import Config, get_conf
from queueing.exceptions import QueueExists, QueueNotFound
from queueing.messages import Draft

from .operations import QueueClient
from .rsmq import RSMQClient

logger = logging.getLogger("queueing")

Sent = TypeVar("Sent")

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
    """The one client of this process. Forks may use it, too."""
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

# --- queues that are created if they are missing ----------------------------------------------


def ensure_queue(client: RSMQClient, qname: str) -> bool:
    """Create a queue unless it is there. Returns whether it was created."""
    try:
        client.create_queue(qname)
    except QueueExists:
        return False
    return True


def send_ensuring(send: Callable[[], Sent], create: Callable[[], object]) -> Sent:
    """Call ``send``. If its queue is missing, call ``create`` and then ``send`` once more."""
    try:
        return send()
    except QueueNotFound:
        create()
        return send()


def ensure_configured(client: RSMQClient, qname: str) -> None:
    """Create a queue if the settings name it. Raises ``QueueNotFound`` for any other."""
    if qname not in get_conf().QUEUES:
        raise QueueNotFound
    ensure_queue(client, qname)


def send_tasks(client: RSMQClient, queue: str, target: str, messages: Sequence[str | Draft]) -> list[str]:
    """Send to a queue of tasks or to its sibling (``target``), which are created if they are missing.

    Returns the ids. Raises what ``send_messages`` does.
    """
    adopt = partial(_adopt, client, queue, target)
    if not task_queues.is_noted(client.session, target):
        adopt()
    return send_ensuring(partial(client.send_messages, target, messages), adopt)


def _adopt(client: RSMQClient, queue: str, target: str) -> None:
    for missing in {queue, target}:
        ensure_queue(client, missing)
    task_queues.note(client.session, queue, target)


def create_configured_queues(client: RSMQClient) -> list[str]:
    """Create the configured queues that are missing, and log for each whether it was: the names that were."""
    created = [qname for qname in get_conf().QUEUES if ensure_queue(client, qname)]
    for qname in get_conf().QUEUES:
        logger.info("queue %s %s", qname, "created" if qname in created else "exists")
    return created
