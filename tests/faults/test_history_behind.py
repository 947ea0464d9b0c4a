"""Jobs that run faster than their recording: the worker waits for the recorder, and no outcome is lost."""

from collections.abc import Callable

from queueing.broker import outbox
from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

COUNT = 40_000
#: Room for the outcomes of a fifth of the jobs.
OUTBOX_BYTES = 300_000


def test_a_drain_that_is_faster_than_the_recorder_loses_no_outcome(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("ledger")
    client.send_message("ledger", "first")
    with worker("ledger", env={"TEST_OUTBOX_MAX": str(OUTBOX_BYTES)}) as process:
        # The worker does not wait for a recorder that has not recorded anything yet.
        eventually(lambda: diary.states() == {"done": 1}, of=process)
        for _ in range(COUNT // 5000):
            client.send_messages("ledger", ["tiny"] * 5000)
        eventually(lambda: diary.states() == {"done": 1 + COUNT}, of=process)
    assert ledger.count("end") == 1 + COUNT
    assert outbox.stats(client.session).lost == 0
