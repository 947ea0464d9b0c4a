"""Starts a Redis for one benchmark, and creates a client like that of the site."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import hiredis
import redis

from queueing.client import QueueClient
from queueing.client.default import connect
from queueing.conf import Config
from tests.support.redis_server import RedisServer


@contextmanager
def empty_server() -> Iterator[RedisServer]:
    """Yield a ``redis-server`` without persistence on a free loopback port. It is stopped at the end."""
    with TemporaryDirectory(prefix="benchmark-") as folder, RedisServer(Path(folder)) as server:
        yield server


def client_of(server: RedisServer) -> QueueClient:
    """A client as on the site: its connection pool is bounded and blocking, and the driver does not retry."""
    return connect(Config(URL=server.url))


def versions(server: RedisServer) -> str:
    """The versions on which the figures depend, as text."""
    with server.connect() as connection:
        version = connection.info("server")["redis_version"]
    return f"Redis {version}, redis-py {redis.__version__}, hiredis {hiredis.__version__}"
