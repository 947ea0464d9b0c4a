"""Many messages with real processes: each runs once, and all are in the history."""

import time
from collections.abc import Callable

from queueing.client import QueueClient
from queueing.messages import Draft
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

COUNT = 10_000


def test_ten_thousand_messages_due_in_the_same_millisecond_run_once_each_and_are_in_the_history(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
    figure: Callable[[str], None],
):
    client.create_queue("ledger")
    due_ms = client.now_ms() + 3000
    drafts = [Draft(body=f"number {number}", due_ms=due_ms) for number in range(COUNT)]
    ids = client.send_messages("ledger", drafts)
    eventually(lambda: client.now_ms() > due_ms)
    burst = worker("ledger", "--burst")
    started = time.monotonic()
    assert burst.run(within_seconds=120) == 0, burst.tail()
    seconds = time.monotonic() - started
    ledger.assert_each_ran_once(ids)
    assert diary.states() == {"done": COUNT}
    assert diary.ids("done") == set(ids)
    attributes = client.get_queue_attributes("ledger")
    assert (attributes.totalsent, attributes.msgs) == (COUNT, 0)
    # If the machine stalls, messages that wait behind a run are given back and claimed again.
    released = [outcome for outcome in invariants.chronicle.outcomes() if outcome.event == "released"]
    assert attributes.totalrecv == COUNT + len(released)
    invariants.check(faults=0, drained=["ledger"], diary=diary)
    runs = [entry.at_ms for entry in ledger.entries("end")]
    rate = (COUNT - 1) / (max(runs) - min(runs)) * 1000
    figure(f"runworker --burst, {COUNT} messages: {seconds:.1f} s with its start, {rate:.0f} runs a second")


def test_a_drained_queue_leaves_nothing_in_redis(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger
):
    client.create_queue("ledger")
    client.send_messages("ledger", ["one", "two", "three"])
    burst = worker("ledger", "--burst")
    assert burst.run() == 0, burst.tail()
    assert ledger.count("end") == 3
    fields = {field.decode() for field in client.redis.hkeys("rsmq:ledger:Q")}
    assert fields == {*("vt", "delay", "maxsize", "created", "modified", "totalsent", "totalrecv")}
    assert client.redis.exists("rsmq:ledger", "rsmq:ledger:ends", "rsmq:ledger:leases") == 0
    assert client.redis.hlen("rsmq::held") == 0
    assert client.redis.xlen("rsmq::outbox") == 0
