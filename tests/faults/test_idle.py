"""What a worker costs that has nothing to do."""

import time
from collections.abc import Callable

from queueing.client import QueueClient
from tests.servers.ledger import Ledger
from tests.servers.redis_server import RedisServer
from tests.servers.waiting import eventually
from tests.servers.worker_process import WorkerProcess

CALLS_PER_MINUTE = 30
SECONDS = 60


def calls(client: QueueClient) -> int:
    """Script calls and other commands that clients have sent; what a script does inside is not counted."""
    found = client.redis.info("commandstats")
    inside = found.get("cmdstat_evalsha", {}).get("calls", 0) + found.get("cmdstat_eval", {}).get("calls", 0)
    outside = ("subscribe", "unsubscribe", "ping", "blpop", "brpop", "xread", "client", "hello")
    return inside + sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in outside)


def test_an_idle_worker_with_a_delayed_message_asks_redis_thirty_times_a_minute_at_most(
    redis_server: RedisServer,
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        client.send_message("ledger", "warm up")
        eventually(lambda: ledger.count("end") == 1, within_seconds=20, of=process)
        client.send_message("ledger", "in an hour", delay=3600)
        # The recorder looks once more after the last outcome, and the listener has subscribed.
        eventually(lambda: client.redis.xlen("rsmq::outbox") == 0, of=process)
        ends, before = time.monotonic() + SECONDS, calls(client)
        eventually(lambda: time.monotonic() > ends, within_seconds=2 * SECONDS, every_seconds=0.2)
        per_minute = calls(client) - before
        assert process.is_running
    figure(f"idle worker, a delayed message in its queue: {per_minute} calls of Redis a minute")
    assert 0 < per_minute <= CALLS_PER_MINUTE
