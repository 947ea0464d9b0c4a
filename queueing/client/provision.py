"""The queues of the setting ``QUEUES`` are there: made at start-up, or when one is missed."""

import logging
from typing import Any

from queueing.conf import get_conf
from queueing.exceptions import QueueExists, QueueNotFound

from . import QueueClient

logger = logging.getLogger("queueing")


def create_configured_queues(client: QueueClient) -> list[str]:
    """Create the configured queues that are missing; the names that were. Says once what it found."""
    created = [qname for qname in get_conf().QUEUES if _created(client, qname)]
    for qname in get_conf().QUEUES:
        logger.info("queue %s %s", qname, "created" if qname in created else "exists")
    return created


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
