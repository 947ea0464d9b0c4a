"""The page's queue on fakeredis, or on a Redis that is away."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from queueing.client import QueueClient
from queueing.client.default import use_client


@pytest.fixture
def queue(fake_client: QueueClient, db: Any) -> Iterator[QueueClient]:
    """The client of the process, with the page's queue in it."""
    fake_client.create_queue("testqueue")
    use_client(fake_client)
    yield fake_client
    use_client(None)


@pytest.fixture
def browser() -> Client:
    """A visitor."""
    return Client()
