"""The client of this process, and the creation of missing queues.

A process has one pool of limited size: small hosting plans allow twenty connections, and during a deploy old
and new processes run at the same time. A thread waits up to a second for a connection, then gets an error.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing.broker import task_queues
from queueing.broker.address import options_of
from queueing.broker.places import DEFAULT
from queueing.broker.pool import Pool
from queueing.conf import Config, get_conf
from queueing.exceptions import QueueExists, QueueNotFound
from queueing.messages import Draft

from .async_client import AsyncQueueClient
from .partitioned import AsyncPartitionedClient, PartitionedClient
from .queue_client import QueueClient
from .steps import Steps, in_loop, in_thread

logger = logging.getLogger("queueing")

AnyClient = QueueClient | AsyncQueueClient

#: Seconds a thread waits for a free connection of the pool.
POOL_PATIENCE_SECONDS = 1.0

#: ``client`` is the client that ``get_client`` returns. ``built`` is the same client if it was made from the
#: settings. The client is made without a lock, because a fork could inherit a held lock.
_shared: dict[str, QueueClient] = {}
#: The client for event loops that belongs to ``_shared["client"]``.
_shared_async: dict[str, AsyncQueueClient] = {}


def connect(conf: Config, *, connections: int | None = None, timeout: float | None = None) -> QueueClient:
    """Make a client with its own connection pool. The client connects at its first call.

    ``connections`` and ``timeout`` (seconds) override ``MAX_CONNECTIONS`` and ``TIMEOUT``. Raises
    ``ImproperlyConfigured`` if ``URL`` is not a valid address.
    """
    try:
        address = options_of(conf.URL, tls_verify=conf.TLS_VERIFY, namespace=conf.NAMESPACE)
    except ValueError as error:
        further = "" if conf.partition == DEFAULT else f'["PARTITIONS"]["{conf.partition}"]'
        raise ImproperlyConfigured(
            f'QUEUEING{further}["URL"] is not the address of a Redis. {error}'
        ) from None
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
    redis = Redis(connection_pool=pool)
    client = QueueClient(redis, ns=conf.NAMESPACE, outbox_max=conf.OUTBOX_MAX, durable=conf.DURABLE)
    client.partition = conf.partition
    client.session.partition = conf.partition if conf.PARTITIONS else ""
    return client


def connect_all(conf: Config, own: QueueClient | None = None) -> QueueClient:
    """Make a client of all partitions. Each partition has a connection pool of its own.

    A process of a worker passes the client of the worker's partition as ``own``. Then each other partition
    gets a pool of only one connection.
    """
    if not conf.PARTITIONS:
        return own or connect(conf)
    connections = 1 if own else None
    made = {name: connect(conf.at(name), connections=connections) for name in conf.partitions}
    if own:
        made[own.partition] = own
    return PartitionedClient(list(made.values()), conf.place_of)


def shared_client() -> QueueClient:
    """The client that this process shares among its threads. Forks may use it, too."""
    try:
        return _shared["client"]
    except KeyError:
        return _shared.setdefault("client", _shared.setdefault("built", connect_all(get_conf())))


def shared_async_client() -> AsyncQueueClient:
    """The client that this process shares among its event loops. It uses the Redis of ``shared_client``.

    Raises ``ImproperlyConfigured`` for a TLS option that redis-py's asyncio connections lack.
    """
    client = shared_client()
    found = _shared_async.get("client")
    if found is None or found.of is not client:
        try:
            found = AsyncPartitionedClient(client) if client.routing else AsyncQueueClient(client)
        except ValueError as error:
            raise ImproperlyConfigured(f'QUEUEING["URL"]: {error}') from None
        _shared_async["client"] = found
    return found


def use_client(client: QueueClient | None) -> None:
    """Make ``get_client`` return ``client``. ``None`` restores the client made from the settings.

    ``client`` stays in use even if tests override ``QUEUEING``.
    """
    _shared.clear()
    if client is not None:
        _shared["client"] = client


def _follow_settings(*, setting: str, **_: Any) -> None:
    """Drop the client if a test overrides ``QUEUEING``. The next call of ``get_client`` makes a new one."""
    if setting == "QUEUEING" and (built := _shared.get("built")):
        use_client(None)
        for part in built.parts:
            try:
                part.redis.connection_pool.disconnect(inuse_connections=False)
            except TypeError:  # A blocking pool of redis-py 5.2 has no such option.
                part.redis.connection_pool.disconnect()


setting_changed.connect(_follow_settings)

# --- creation of missing queues ---------------------------------------------------------------


def _ensure_queue(client: AnyClient, qname: str) -> Steps[bool]:
    """Create a queue if it does not exist. Returns whether it was created."""
    try:
        yield client.create_queue(qname)
    except QueueExists:
        return False
    return True


def _adopt_task_queue(client: AnyClient, queue: str, target: str) -> Steps[None]:
    """Create ``queue`` and ``target`` if they are missing, and store in Redis that ``queue`` receives tasks.

    ``target`` is ``queue`` itself or its low-priority queue.
    """
    client = client.at([target])
    for missing in {queue, target}:
        yield from _ensure_queue(client, missing)
    yield client.session.call(task_queues.note(client.keys, queue))
    task_queues.remember_noted(client.session, target)


def _note_task_queue(client: AnyClient, task_queue: str, queue: str) -> Steps[None]:
    """Store in Redis that ``task_queue`` receives tasks, unless this process has already done so.

    ``queue`` is ``task_queue`` itself or its low-priority queue. Both queues are created if they are missing.
    If ``task_queue`` is ``""``, ``queue`` receives messages for a handler, and the call does nothing.
    """
    client = client.at([queue])
    if task_queue and not task_queues.is_noted(client.session, queue):
        yield from _adopt_task_queue(client, task_queue, queue)


def _create_missing(client: AnyClient, task_queue: str, queue: str) -> Steps[None]:
    """Create the missing ``queue`` if it is for tasks, or if the setting ``QUEUES`` names it.

    For tasks, ``task_queue`` is ``queue`` itself or its main queue. For other messages, ``task_queue`` is
    ``""``. Raises ``QueueNotFound`` for a queue that is not created.
    """
    if task_queue:
        yield from _adopt_task_queue(client, task_queue, queue)
    elif queue in get_conf().QUEUES:
        yield from _ensure_queue(client, queue)
    else:
        error = QueueNotFound()
        remedy = f'Add it to QUEUEING["QUEUES"], or run "manage.py queues create {queue}".'
        error.add_note(f"There is no queue named {queue}. {remedy}")
        raise error


def _ensuring(
    client: AnyClient, send: Callable[[], Any], queue: str, *, task_queue: str = "", any_name: bool = False
) -> Steps[Any]:
    """Call ``send``, and return its result. If ``queue`` is missing, create it and call ``send`` once more.

    With ``any_name``, any missing queue is created. Otherwise ``_create_missing`` decides. ``task_queue`` is
    as in ``_create_missing``. Raises ``QueueNotFound`` for a missing queue that is not created.
    """
    yield from _note_task_queue(client, task_queue, queue)
    try:
        return (yield send())
    except QueueNotFound:
        if any_name and not task_queue:
            yield from _ensure_queue(client, queue)
        else:
            yield from _create_missing(client, task_queue, queue)
        return (yield send())


def _send(client: AnyClient, qname: str, message: str, **options: Any) -> Steps[str]:
    """Send a message. A missing queue is created first if the setting ``QUEUES`` names it."""
    # This does the same as ``_ensuring``, but takes less time.
    try:
        sent: str = yield client.send_message(qname, message, **options)
    except QueueNotFound:
        yield from _create_missing(client, "", qname)
        sent = yield client.send_message(qname, message, **options)
    return sent


def _send_tasks(
    client: AnyClient, queue: str, target: str, messages: Sequence[str | Draft]
) -> Steps[list[str]]:
    """Send the messages of tasks to ``target``, which is ``queue`` or its low-priority queue.

    Both queues are created if they are missing. Returns the message ids. Raises the errors of
    ``send_messages``.
    """
    client = client.at([target])
    send = partial(client.send_messages, target, messages)
    ids: list[str] = yield from _ensuring(client, send, target, task_queue=queue)
    return ids


def create_configured_queues(client: QueueClient) -> list[str]:
    """Create the missing queues that the settings name, and log them. Returns their names."""
    created, conf = [], get_conf()
    for qname in conf.QUEUES:
        is_elsewhere = not client.routing and conf.place_of(qname) != client.partition
        if not is_elsewhere and ensure_queue(client, qname):
            logger.info("queue %s created", qname)
            created.append(qname)
    return created


ensure_queue = wraps(_ensure_queue)(in_thread(_ensure_queue))
note_task_queue = wraps(_note_task_queue)(in_thread(_note_task_queue))
create_missing = wraps(_create_missing)(in_thread(_create_missing))
ensuring = wraps(_ensuring)(in_thread(_ensuring))
send, asend = wraps(_send)(in_thread(_send)), wraps(_send)(in_loop(_send))
send_tasks, asend_tasks = wraps(_send_tasks)(in_thread(_send_tasks)), wraps(_send_tasks)(in_loop(_send_tasks))
