"""A child in a thread of the test, without its process."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from queueing.client import QueueClient
from queueing.conf import Config
from queueing.handlers import handler
from queueing.worker.child import Child
from queueing.worker.shared_memory import SharedMemory
from queueing.worker.waker import Waker
from tests.support.redis_server import RedisServer
from tests.support.waiting import HANG_SECONDS, eventually


class Running:
    """A child that runs until the test closes the pipe of its orders with ``stop``."""

    def __init__(self, url: str) -> None:
        orders, self._end = os.pipe()
        self.slot = SharedMemory(1, 1, ["q"]).slots[0]
        self.child = Child(
            Config(URL=url), name="child", index=0, slot=self.slot, queues=["q"], orders=orders,
            recorder_waker=Waker(),
        )  # fmt: skip
        turns = (self.child._turn, self.child._is_over)
        self._thread = threading.Thread(target=self.child.consumer.pool.lead.run, args=turns, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with suppress(OSError):
            os.close(self._end)
        self._thread.join(HANG_SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture
def running(client: QueueClient, redis_server: RedisServer, monkeypatch) -> Iterator[Running]:
    client.create_queue("q")
    # The main thread takes the lead only if the handler thread gives it back.
    monkeypatch.setattr("queueing.worker.lead.LOOK_SECONDS", 600)
    made = Running(redis_server.url)
    yield made
    made.stop()


@pytest.mark.parametrize("order", ["stop", "quiet"])
def test_orders_are_followed_although_each_job_sends_the_next_message(client, running, order):
    ran, is_over = [], threading.Event()

    @handler("q")
    def send_the_next(message) -> None:
        ran.append(message.id)
        if not is_over.is_set():
            client.send_message("q", "next")

    client.send_message("q", "first")
    eventually(lambda: len(ran) > 20)
    try:
        if order == "stop":
            running.stop()
        else:
            running.slot.set_quiet(True)
            eventually(lambda: running.child.consumer.is_paused and running.child.consumer.is_drained)
        assert client.queue_figures(["q"])[0].ready == 1
    finally:
        is_over.set()
