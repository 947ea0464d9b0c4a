"""Messages that time out in a foreign reader count neither a failure nor a crash."""

from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.node_programs import VERSIONS
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess
from tests.wire.bridge import NodeSide, node_side


def times_out(node: NodeSide, client: QueueClient, queue: str) -> str:
    """A Node reader receives the message and never deletes it, until it can be received again."""
    received = node.call("receiveMessage", qname=queue, vt=1)
    eventually(lambda: client.queue_figures([queue])[0].ready == 1)
    return received["id"]


@pytest.mark.parametrize("version", VERSIONS[:1])
def test_a_message_that_times_out_three_times_in_a_node_reader_is_ready_and_not_dead(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    version: str,
):
    for queue in ("ledger", "raising"):
        client.create_queue(queue)
    sent = {queue: client.send_message(queue, "still here") for queue in ("ledger", "raising")}
    with node_side(version, redis_server.port) as node:
        for queue, message_id in sent.items():
            assert {times_out(node, client, queue) for _ in range(3)} == {message_id}
            figures = client.queue_figures([queue])[0]
            assert (figures.ready, figures.running, figures.dead) == (1, 0, 0)
    with worker("ledger", "raising") as process:
        eventually(lambda: sent["ledger"] in diary.ids("done"), of=process)
        eventually(lambda: sent["raising"] in diary.ids("dead"), of=process)
    assert (diary.row(sent["ledger"])["attempts"], diary.row(sent["ledger"])["crashes"]) == (1, 0)
    assert ledger.runs() == {sent["ledger"]: 1, sent["raising"]: 3}, "their receives do not count as attempts"
