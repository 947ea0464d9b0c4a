"""Each fault test has its own Redis. After each, the invariants that hold after any fault are checked."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from queueing.client import QueueClient
from queueing.messages import Draft
from tests.support.chronicle import Chronicle
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer
from tests.support.worker_process import WorkerProcess

from .scene import Scene


@pytest.fixture
def redis_server(own_redis: Callable[..., RedisServer]) -> RedisServer:
    """A Redis for this test, in place of the session's. Its data survives ``kill -9``.

    Redis hands each write to the kernel before it answers. ``fsync`` would matter only if the machine
    failed.
    """
    return own_redis(appendonly=True, appendfsync="no", auto_aof_rewrite_percentage="0")


class TellingClient(QueueClient):
    """A client that reports acknowledged sends to the checker."""

    invariants: Invariants

    def send_message(self, qname: str, message: str, **options: Any) -> str:
        message_id = super().send_message(qname, message, **options)
        self.invariants.sent(qname, [message_id])
        return message_id

    def send_messages(self, qname: str, messages: Sequence[str | Draft], *, delay: Any = None) -> list[str]:
        ids = super().send_messages(qname, messages, delay=delay)
        self.invariants.sent(qname, ids)
        return ids


@pytest.fixture
def client(redis_connection: redis.Redis) -> TellingClient:
    return TellingClient(redis_connection)


@pytest.fixture(autouse=True)
def invariants(client: TellingClient, redis_server: RedisServer, ledger: Ledger) -> Iterator[Invariants]:
    """The checker. It runs at the end of each test, when the workers have ended."""
    client.invariants = Invariants(client, ledger, Chronicle(redis_server.folder))
    yield client.invariants
    if not client.invariants.is_off:
        client.invariants.check()


@pytest.fixture
def scene(
    client: TellingClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
) -> Scene:
    """Everything a fault test needs, with the queue ``slow``."""
    client.create_queue("slow")
    return Scene(client, worker, ledger, diary, invariants)
