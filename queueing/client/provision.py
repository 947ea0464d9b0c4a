"""The queues of the setting ``QUEUES`` are there: made at start-up, or when one is missed."""

import logging
from typing import Any

from queueing.conf import get_conf
from queueing.exceptions import QueueError, QueueExists, QueueNotFound

from . import QueueClient
from .default import connect

logger = logging.getLogger("queueing")

#: How long a web process that starts waits for Redis: it serves without it, too.
START_TIMEOUT_SECONDS = 0.5


def create_configured_queues(client: QueueClient) -> list[str]:
    """Create the configured queues that are missing; the names that were. Says once what it found."""
    created = [qname for qname in get_conf().QUEUES if _created(client, qname)]
    for qname in get_conf().QUEUES:
        logger.info("queue %s %s", qname, "created" if qname in created else "exists")
    return created


def try_once() -> None:
    """For wsgi and asgi: create the queues if Redis answers at once. Never raises for Redis."""
    client = connect(get_conf(), connections=1, timeout=START_TIMEOUT_SECONDS)
    try:
        create_configured_queues(client)
    except QueueError as error:
        logger.warning("queues not created yet, they will be when first used: %s", error)
    finally:
        client.redis.connection_pool.disconnect()


def send_creating(client: QueueClient, qname: str, message: str, **options: Any) -> str:
    """Send; a configured queue that is missing is created, and the send repeated once."""
    try:
        return client.send_message(qname, message, **options)
    except QueueNotFound:
        if qname not in get_conf().QUEUES:
            raise
        _created(client, qname)
        return client.send_message(qname, message, **options)


def _created(client: QueueClient, qname: str) -> bool:
    try:
        client.create_queue(qname)
    except QueueExists:
        return False
    return True
