"""Cost of an idle worker."""

import time
from collections import Counter
from collections.abc import Callable

from queueing.client import QueueClient
from queueing.conf import Config
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

CALLS_PER_MINUTE = 30
#: Commands that clients call. Redis counted all others inside a script, or for this test.
SAID = ("evalsha", "eval", "subscribe", "unsubscribe", "ping", "blpop", "xread", "client|setinfo", "hello")


def calls(client: QueueClient) -> Counter[str]:
    found = client.redis.info("commandstats")
    return Counter({name: found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in SAID})


def test_an_idle_worker_of_three_queues_calls_redis_at_most_thirty_times_a_minute(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, figure: Callable[[str], None]
):
    queues = ("ledger", "brisk", "slow")
    for queue in queues:
        client.create_queue(queue)
    with worker(*queues, env={"TEST_LEASE": str(Config().LEASE)}) as process:
        client.send_message("ledger", "warm up")
        client.send_message("ledger", "in an hour", delay=3600)
        eventually(lambda: ledger.count("end") == 1, of=process)
        # Wait until the work after a job and after a start is over.
        settled_by = time.monotonic() + 5
        eventually(lambda: time.monotonic() > settled_by)
        ends, before = time.monotonic() + 60, calls(client)
        eventually(lambda: time.monotonic() > ends, within_seconds=70, every_seconds=0.2)
        said = calls(client) - before
        assert process.is_running
    figure(f"idle worker of three queues, with a delayed message: {said.total()} calls of Redis a minute")
    assert 0 < said.total() <= CALLS_PER_MINUTE, said
