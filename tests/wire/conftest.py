"""Node's RSMQ and this client on one Redis."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from queueing.client import QueueClient
from tests.support.node_programs import VERSIONS
from tests.support.redis_server import RedisServer

from .bridge import NodeSide, PythonSide, Side, node_side


@pytest.fixture(scope="package")
def nodes(_session_redis: RedisServer) -> Iterator[dict[str, NodeSide]]:
    """Each pinned version of npm's rsmq, in one process for all tests of this folder."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(node_side(name, _session_redis.port)) for name in VERSIONS}


@pytest.fixture(params=VERSIONS)
def node(request: pytest.FixtureRequest, nodes: dict[str, NodeSide], redis_server: RedisServer) -> NodeSide:
    """One of the versions, on the empty Redis of the test."""
    return nodes[request.param]


@pytest.fixture
def python(client: QueueClient) -> PythonSide:
    return PythonSide(client)


@pytest.fixture
def sides(nodes: dict[str, NodeSide], python: PythonSide) -> dict[str, Side]:
    """All clients: both versions of Node's RSMQ, and this one."""
    return {**nodes, "ours": python}
