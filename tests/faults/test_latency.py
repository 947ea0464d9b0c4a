"""Latency of a message that is sent to an idle worker."""

import statistics
import time
from collections.abc import Callable

from queueing.broker.pubsub import POLL_SECONDS
from queueing.client import QueueClient
from tests.support.ledger import Ledger
from tests.support.stalls import Stalls
from tests.support.unannounced import send_unannounced
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def started_ms(ledger: Ledger, message_id: str, process: WorkerProcess) -> float:
    def found() -> float | None:
        return next((e.at_ms for e in ledger.entries("end") if e.message_id == message_id), None)

    eventually(found, of=process)
    return ledger.starts_ms(message_id)[0]


def test_an_idle_worker_starts_a_new_message_long_before_its_poll(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        started_ms(ledger, client.send_message("ledger", "warm up"), process)
        took_ms = []
        for number in range(21):
            before_ms = time.time() * 1000
            message_id = client.send_message("ledger", str(number))
            took_ms.append(started_ms(ledger, message_id, process) - before_ms)
    median = statistics.median(took_ms)
    figure(f"idle worker, from before the send to the start of the job: median {median:.1f} ms")
    assert median < POLL_SECONDS * 1000 / 4, "half of the pause between two polls is their median"


def test_a_message_without_a_notification_starts_within_five_seconds(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        started_ms(ledger, client.send_message("ledger", "warm up"), process)
        took_ms = []
        for number in range(2):  # the first may find a worker that has only just become idle
            before_ms = time.time() * 1000
            message_id = send_unannounced(client.redis, "ledger", f"unannounced {number}")
            took_ms.append(started_ms(ledger, message_id, process) - before_ms)
    figure(f"unannounced sends were found after {', '.join(f'{ms / 1000:.1f} s' for ms in took_ms)}")
    assert POLL_SECONDS < 5
    assert max(took_ms) < 2 * POLL_SECONDS * 1000, "the next poll finds it"


def test_a_worker_that_has_found_an_unannounced_message_looks_for_the_next_ones_earlier(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    figure: Callable[[str], None],
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        started_ms(ledger, client.send_message("ledger", "warm up"), process)
        started_ms(ledger, send_unannounced(client.redis, "ledger", "the first one"), process)
        took_ms = []
        for number in range(21):
            before_ms = time.time() * 1000
            message_id = send_unannounced(client.redis, "ledger", f"unannounced {number}")
            took_ms.append(started_ms(ledger, message_id, process) - before_ms)
    median = statistics.median(took_ms)
    figure(f"unannounced sends after the first one: median {median:.0f} ms")
    assert median < POLL_SECONDS * 1000 / 4, "half of the pause between two rare polls is their median"


def test_a_delayed_message_starts_when_it_is_due(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, stalls: Stalls
):
    client.create_queue("ledger")
    with worker("ledger") as process:
        started_ms(ledger, client.send_message("ledger", "warm up"), process)
        before_ms = time.time() * 1000
        message_id = client.send_message("ledger", "later", delay=1)
        began_ms = started_ms(ledger, message_id, process)
        awake_seconds = stalls.awake(before_ms / 1000, began_ms / 1000)
    assert began_ms - before_ms >= 995
    assert awake_seconds < POLL_SECONDS
