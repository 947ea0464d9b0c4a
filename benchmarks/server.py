"""A Redis for one benchmark, with the site's client."""

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
    """A ``redis-server`` without persistence on a free loopback port, stopped at the end."""
    with TemporaryDirectory(prefix="benchmark-") as folder, RedisServer(Path(folder)) as server:
        yield server


def client_of(server: RedisServer) -> QueueClient:
    """The client of the site: a bounded blocking pool with the driver's retry off."""
    return connect(Config(URL=server.url))


def versions(server: RedisServer) -> str:
    """The versions that the figures depend on."""
    with server.connect() as connection:
        version = connection.info("server")["redis_version"]
    return f"Redis {version}, redis-py {redis.__version__}, hiredis {hiredis.__version__}"
