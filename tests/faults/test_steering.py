"""Queues are paused, purged and deleted while their jobs run."""

from collections.abc import Callable

from queueing.client import QueueClient
from tests.servers.diary import Diary
from tests.servers.invariants import Invariants
from tests.servers.ledger import Ledger
from tests.servers.waiting import eventually
from tests.servers.worker_process import WorkerProcess


def begun(ledger: Ledger, message_id: str, process: WorkerProcess) -> None:
    eventually(lambda: message_id in ledger.ids("start"), within_seconds=20, of=process)


def done(diary: Diary, ids: set[str], process: WorkerProcess) -> None:
    eventually(lambda: ids <= diary.ids("done"), within_seconds=20, of=process)


def test_what_runs_in_a_paused_queue_ends_and_nothing_begins_until_it_is_resumed(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    client.create_queue("ledger")
    running = client.send_message("slow", "1 running")
    with worker("slow", "ledger") as process:
        begun(ledger, running, process)
        client.pause_queue("slow")
        waiting = client.send_message("slow", "0 waiting")
        done(diary, {running}, process)
        # Its round begins with the paused queue, so it has looked there.
        done(diary, {client.send_message("ledger", "another queue") for _ in range(2)}, process)
        assert waiting not in ledger.ids()
        client.resume_queue("slow")
        done(diary, {waiting}, process)
    invariants.check(faults=0, drained=["slow", "ledger"], diary=diary)


def test_a_purge_leaves_what_runs(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    running, *waiting = client.send_messages("slow", ["1.5 running", *["0 waiting"] * 2000])
    with worker("slow") as process:
        begun(ledger, running, process)
        purged = client.purge_queue("slow")
        invariants.removed(waiting)
        assert len(waiting) - 50 <= purged <= len(waiting), "what this worker holds is spared, too"
        done(diary, {running}, process)
        after = client.send_message("slow", "0 after it")
        done(diary, {after}, process)
    assert diary.outcomes(running) == [(1, "done")]
    ledger.assert_all_ended([running, after], faults=0)
    assert len(ledger.runs()) == 2 + len(waiting) - purged


def test_the_job_of_a_deleted_queue_ends_and_its_worker_makes_the_queue_anew(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    running, waiting = client.send_messages("slow", ["1 running", "0 waiting"])
    with worker("slow") as process:
        begun(ledger, running, process)
        client.delete_queue("slow")
        invariants.removed([running, waiting])
        eventually(lambda: running in ledger.ids("end"), of=process)
        process.wait_for_line(f"{running} gone: its outcome was refused")
        eventually(lambda: "slow" in client.list_queues(), within_seconds=15, of=process)
        after = client.send_message("slow", "0 after it")
        done(diary, {after}, process)
        assert process.is_running
    assert diary.row(running)["state"] == "gone"
    assert ledger.runs()[waiting] == 0
