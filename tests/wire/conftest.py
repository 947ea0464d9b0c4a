"""Both sides of the wire on one Redis."""

from collections.abc import Iterator

import pytest

from queueing.client import QueueClient
from tests.servers.node_programs import VERSIONS
from tests.servers.redis_server import RedisServer

from .bridge import NodeSide, PythonSide, node_side


@pytest.fixture(params=VERSIONS)
def node(request: pytest.FixtureRequest, redis_server: RedisServer) -> Iterator[NodeSide]:
    """npm's rsmq in each pinned version, on the Redis of the test."""
    with node_side(request.param, redis_server.port) as side:
        yield side


@pytest.fixture
def python(client: QueueClient) -> PythonSide:
    return PythonSide(client)
