"""Clients for the tests of the queue: each test that asks for ``any_client`` runs on both Redis kinds."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from queueing.client import QueueClient
from queueing.conf import Conf
from queueing.exceptions import QueueExists
from queueing.holdings import Batch, Lane, run_all
from queueing.outcomes import Outcome


@pytest.fixture(params=["client", "fake_client"], ids=["redis", "fakeredis"])
def any_client(request: pytest.FixtureRequest) -> QueueClient:
    return request.getfixturevalue(request.param)


@pytest.fixture
def conf() -> Conf:
    return Conf(LEASE=2)


class Hand:
    """A child's lane on the queue ``work``, moved by hand."""

    def __init__(self, client: QueueClient, conf: Conf, child: str) -> None:
        self.client, self.child = client, child
        self.lane = Lane(client, conf, child, "work")

    def run(self, call) -> list:
        return run_all(self.client, [call])[0]

    def claim(self, count: int = 10, *, suspects: str = "take") -> Batch:
        return self.lane.read_claim(self.run(self.lane.claim(count, suspects=suspects)))

    def settle(self, *outcomes: Outcome) -> dict[str, str]:
        return self.lane.read_settle(self.run(self.lane.settle(outcomes)))


@pytest.fixture
def hand(any_client: QueueClient, conf: Conf) -> Callable[..., Hand]:
    """``hand("a")`` is the lane of a child named ``a``; the queue ``work`` exists."""
    with suppress(QueueExists):
        any_client.create_queue("work")
    return lambda child="a", conf=conf: Hand(any_client, conf, child)


def ended(delivery, event: str, **more) -> Outcome:
    """An outcome of a claimed delivery."""
    message = delivery.message
    return Outcome("work", message.id, message.rc, event, "a", body=message.body, finished_ms=1.0, **more)
