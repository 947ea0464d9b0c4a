"""No thread of the worker ends, however a handler, its back-off function or a log of the project fails."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.awkward.settings"}
KINDS = ("long", "exit", "interrupt", "text", "generator exit")
SENT = {
    "awkward": KINDS,
    "awkward-async": ("exit", "interrupt", "loop"),
    "awkward-back-off": KINDS,
}


def test_after_every_awkward_end_all_threads_and_the_event_loop_still_work(
    client: QueueClient, worker: Callable[..., WorkerProcess], diary: Diary
):
    for queue in (*SENT, "ledger", "fine-async"):
        client.create_queue(queue)
    ids = {client.send_message(queue, kind) for queue, kinds in SENT.items() for kind in kinds}
    with worker(*SENT, "ledger", "fine-async", "--threads", "2", env=SETTINGS) as process:
        eventually(lambda: diary.ids("dead") == ids, of=process)
        fine = {*client.send_messages("ledger", ["x"] * 10), *client.send_messages("fine-async", ["x"] * 10)}
        eventually(lambda: diary.ids("done") == fine, of=process)
        assert len(process.output) < 300_000, "two errors of 10 MB were logged twice each"
    assert {row["attempts"] for row in map(diary.row, ids)} == {2}
    assert {row["crashes"] for row in map(diary.row, ids)} == {0}
    assert "A log handler or filter of the project failed: SystemExit: the filter" in process.output
    assert "characters)" in process.output
