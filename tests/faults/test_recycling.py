"""Children are replaced by new ones, and no job is lost or run twice at the change."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


def test_a_child_is_replaced_after_its_maximal_number_of_jobs(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("ledger")
    ids = client.send_messages("ledger", [str(number) for number in range(95)])
    with worker("ledger", "--max-jobs", "20", "--burst") as process:
        assert process.wait() == 0, process.tail()
    ledger.assert_each_ran_once(ids)
    by_child: dict[int, int] = {}
    for entry in ledger.entries("end"):
        by_child[entry.pid] = by_child.get(entry.pid, 0) + 1
    # On a slow machine, a child gives back waiting messages and leaves before it has run its maximum.
    assert max(by_child.values()) == 20
    assert len(by_child) >= 5
    assert diary.ids("done") == set(ids)


def test_a_child_with_too_much_memory_is_replaced(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("ledger")
    with worker("ledger", "--max-memory", "1") as process:
        first = client.send_message("ledger", "first")
        eventually(lambda: diary.row(first).get("state") == "done", of=process)
        eventually(lambda: any("MB" in line for line in process.lines), of=process)
        second = client.send_message("ledger", "second")
        eventually(lambda: diary.row(second).get("state") == "done", of=process)
        assert process.is_running
    ledger.assert_each_ran_once([first, second])
