"""``kill -9`` of the parts of a worker, alone and together, and how soon the rest makes up for it."""

import os
import signal
import time
from collections.abc import Callable

import psutil

from queueing.client import QueueClient
from queueing.conf import Conf
from tests.servers.diary import Diary
from tests.servers.invariants import Invariants
from tests.servers.ledger import Ledger
from tests.servers.waiting import eventually
from tests.servers.worker_process import WorkerProcess

#: Seconds, of the fault tests' settings.
LEASE = 2
#: Seconds from the blow within which what was cut short has to run again.
DEADLINE = 15


def begun(ledger: Ledger, message_id: str, process: WorkerProcess, times: int = 1) -> None:
    eventually(lambda: ledger.runs()[message_id] == times, within_seconds=DEADLINE, of=process)


def keeper_of(process: WorkerProcess, ledger: Ledger) -> psutil.Process:
    """The one child of the supervisor in which nothing has run."""
    ran = {entry.pid for entry in ledger.entries()}
    [keeper] = [child for child in process.children() if child.pid not in ran]
    return keeper


def done(diary: Diary, message_id: str, process: WorkerProcess) -> None:
    state = lambda: diary.row(message_id).get("state")  # noqa: E731
    eventually(lambda: state() == "done", within_seconds=30, of=process, what=lambda: f"done, not {state()}")


def test_a_killed_child_is_replaced_within_a_second_and_its_job_runs_again(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "1 cut short")
    with worker("slow") as process:
        begun(ledger, message_id, process)
        keeper, pid = keeper_of(process, ledger), ledger.entries()[0].pid
        os.kill(pid, signal.SIGKILL)
        killed = time.time()
        [new] = eventually(
            lambda: [child for child in process.children() if child.pid not in (pid, keeper.pid)], of=process
        )
        assert new.create_time() - killed < 1
        begun(ledger, message_id, process, times=2)
        done(diary, message_id, process)
        assert keeper.is_running()
    assert diary.outcomes(message_id) == [(1, "abandoned"), (2, "done")]
    invariants.check(faults=1, drained=["slow"], diary=diary)


def test_a_keeper_killed_alone_is_replaced_and_no_lease_ends(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", f"{3 * LEASE} longer than its lease")
    with worker("slow") as process, worker("slow") as other:
        begun(ledger, message_id, process)
        struck = process if ledger.entries()[0].pid in {c.pid for c in process.children()} else other
        keeper_of(struck, ledger).kill()
        struck.wait_for_line("the keeper died")
        done(diary, message_id, struck)
    ledger.assert_each_ran_once([message_id])
    invariants.check(faults=0, drained=["slow"], diary=diary)


def test_a_supervisor_that_loses_child_and_keeper_at_once_replaces_both(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "1 cut short")
    with worker("slow") as process:
        begun(ledger, message_id, process)
        for child in process.children():
            child.kill()
        begun(ledger, message_id, process, times=2)
        done(diary, message_id, process)
        assert len(process.children()) == 2
    invariants.check(faults=1, drained=["slow"], diary=diary)


def test_a_child_that_is_left_alone_finishes_its_job_and_ends(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    client.create_queue("slow")
    message_id = client.send_message("slow", "1 alone")
    with worker("slow") as process:
        begun(ledger, message_id, process)
        keeper = keeper_of(process, ledger)
        process.kill_supervisor()
        keeper.kill()
        eventually(lambda: not process.members(), within_seconds=15, what=process.tail)
    assert ledger.ids("end") == [message_id]
    assert client.get_queue_attributes("slow").msgs == 0, "it has settled"
    with worker("slow", "--burst") as second:
        assert second.wait() == 0, second.tail()
    ledger.assert_each_ran_once([message_id])
    invariants.check(faults=0, drained=["slow"], diary=diary)


def test_with_the_default_lease_the_job_of_a_killed_worker_runs_again_before_the_backlog(
    client: QueueClient,
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
    figure: Callable[[str], None],
):
    client.create_queue("slow")
    default = {"TEST_LEASE": str(Conf().LEASE)}
    message_id = client.send_message("slow", "1 cut short")
    with worker("slow", env=default) as first:
        begun(ledger, message_id, first)
        pid = ledger.entries()[0].pid
        client.send_messages("slow", ["0.5 backlog"] * 7200)
        with worker("slow", env=default) as second:
            eventually(lambda: len({e.pid for e in ledger.entries()}) == 2, within_seconds=20, of=second)
            starts = _starts(ledger, pid)
            eventually(lambda: _starts(ledger, pid) > starts, within_seconds=10, of=first)
            first.kill_group()
            killed_ms = time.time() * 1000
            victims = _cut_short(ledger, pid)
            eventually(lambda: _ran_again(ledger, victims), within_seconds=DEADLINE + 5, of=second)
    rerun_ms = max(e.at_ms for e in ledger.entries("start") if e.message_id in victims and e.rc > 1)
    figure(f"kill -9 of a worker, an hour of backlog: run again after {(rerun_ms - killed_ms) / 1000:.1f} s")
    assert rerun_ms - killed_ms < DEADLINE * 1000
    invariants.check(faults=1)


def _starts(ledger: Ledger, pid: int) -> int:
    return sum(entry.pid == pid for entry in ledger.entries("start"))


def _cut_short(ledger: Ledger, pid: int) -> set[str]:
    begun = {entry.message_id for entry in ledger.entries("start") if entry.pid == pid}
    return begun - set(ledger.ids("end"))


def _ran_again(ledger: Ledger, victims: set[str]) -> bool:
    return victims <= {entry.message_id for entry in ledger.entries("start") if entry.rc > 1}
