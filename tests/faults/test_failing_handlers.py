"""A handler that raises uses up the attempts of its message, but does not harm the worker."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def test_a_failing_message_is_retried_then_dead_and_the_worker_keeps_running(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("raising")
    client.create_queue("ledger")
    bad = client.send_message("raising", "this")
    with worker("raising", "ledger") as process:
        eventually(lambda: diary.row(bad).get("state") == "dead", of=process)
        after = client.send_message("ledger", "and then")
        eventually(lambda: diary.row(after).get("state") == "done", of=process)
        assert process.is_running
    starts = ledger.entries("start")
    failing = [entry for entry in starts if entry.message_id == bad]
    assert [entry.rc for entry in failing] == [1, 2, 3]
    waits = [later.at_ms - sooner.at_ms for sooner, later in zip(failing, failing[1:], strict=False)]
    assert min(waits) >= 190, "the back-off of 0.2 s was kept"
    row = diary.row(bad)
    assert (row["attempts"], row["crashes"], row["body"]) == (3, 0, "this")
    assert "cannot do this" in str(row["error"])
    assert [outcome for _, outcome in diary.outcomes(bad)] == ["retrying", "retrying", "dead"]

    assert client.get_queue_attributes("raising").msgs == 0
    dead = client.receive_message("raising-dead")
    assert dead is not None
    assert (dead.id, dead.body) == (bad, "this")
    assert client.queue_figures(["raising"])[0].dead == 1
