"""Each test that asks for ``any_client`` also runs on the client of event loops."""

import pytest

from queueing.client import QueueClient
from tests.support.looped_client import LoopedClient


@pytest.fixture(params=["client", "fake_client", "looped_client"], ids=["redis", "fakeredis", "async"])
def any_client(request: pytest.FixtureRequest) -> QueueClient | LoopedClient:
    return request.getfixturevalue(request.param)
