"""Unexpected bodies reach the handler unchanged. They may fail, but stop no later message."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

TEN_MEGABYTES = '"' + "x" * 10_000_000 + '"'
FINE = {"empty object": "{}", "ten megabytes": TEN_MEGABYTES, "big number": "1" + "0" * 4000}
WRONG = {
    "nothing": "",
    "no UTF-8": "\udcff\udcfe",
    "NUL": "\x00",
    "nested 10,000 deep": "[" * 10_000 + "]" * 10_000,
    "not even JSON": "<script>alert(1)</script>",
}


def test_each_odd_body_is_done_or_dead_and_is_in_the_history(
    client: QueueClient, worker: Callable[..., WorkerProcess], ledger: Ledger, diary: Diary
):
    client.create_queue("parsing", maxsize=-1)
    fine = dict(zip(FINE, client.send_messages("parsing", list(FINE.values())), strict=True))
    wrong = dict(zip(WRONG, client.send_messages("parsing", list(WRONG.values())), strict=True))
    last = client.send_message("parsing", "1")
    with worker("parsing", "--threads", "2") as process:
        eventually(lambda: diary.row(last).get("state") == "done", of=process)
        eventually(lambda: set(diary.ids("done")) >= set(fine.values()), of=process)
        eventually(lambda: diary.ids("dead") == set(wrong.values()), of=process)
        assert process.is_running
    lengths = {entry.message_id: entry.body for entry in ledger.entries("start")}
    for name, id in (fine | wrong).items():
        assert lengths[id] == repr(str(len((FINE | WRONG)[name]))), name
    assert "RecursionError" in str(diary.row(wrong["nested 10,000 deep"])["error"])
    assert client.peek_message("parsing-dead", wrong["no UTF-8"]).body == WRONG["no UTF-8"]
