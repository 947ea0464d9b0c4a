"""``kill -9`` in the middle of 10,000 messages: of all processes, of one child, of the supervisor."""

import os
import signal
from collections.abc import Callable

import pytest

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.invariants import Invariants
from tests.support.ledger import Entry, Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

COUNT = 10_000
#: Runs that have ended before the kill, and further runs before it is repeated.
BEFORE = 2000
MORE = 1000
#: Messages of the backlog that must still follow when a killed message runs again.
BEHIND = 1000
OPTIONS = ("brisk", "--threads", "4")


@pytest.fixture
def ids(client: QueueClient) -> list[str]:
    client.create_queue("brisk")
    return client.send_messages("brisk", [str(number) for number in range(COUNT)])


def in_the_middle(ledger: Ledger, process: WorkerProcess, times: int = 1) -> None:
    eventually(lambda: ledger.count("end") >= BEFORE + (times - 1) * MORE, of=process)


def cut_short(entries: list[Entry], pid: int | None = None) -> set[str]:
    """The messages whose run had begun and not ended (in the process ``pid``)."""
    begun = {e.message_id for e in entries if e.event == "start" and pid in (None, e.pid)}
    return begun - {e.message_id for e in entries if e.event == "end"}


def assert_ran_again_before_the_backlog(ledger: Ledger, killed: set[str], since: int) -> None:
    starts = [entry.message_id for entry in ledger.entries()[since:] if entry.event == "start"]
    last = max(starts.index(message_id) for message_id in killed)
    assert len(starts) - last > BEHIND, f"{last} of {len(starts)} ran before a killed one did"


def assert_nothing_is_missing(
    ids: list[str], invariants: Invariants, diary: Diary, *, faults: int = 1
) -> None:
    assert diary.ids("done") == set(ids)
    invariants.check(faults=faults, drained=["brisk"], diary=diary)


def finished(ids: list[str], diary: Diary, process: WorkerProcess) -> None:
    eventually(
        lambda: len(diary.ids("done")) == len(ids),
        within_seconds=90,
        every_seconds=0.2,
        what=lambda: f"{len(ids)} done: {diary.states()}",
        of=process,
    )


def test_after_a_kill_of_the_whole_group_a_new_worker_begins_with_the_interrupted_messages(
    ids: list[str],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    kills = 0
    killed: set[str] = set()
    # The kill may hit a moment between two messages. Then it is repeated.
    while not killed and kills < 7:
        kills += 1
        with worker(*OPTIONS, env={"TEST_LEASE": "2"}) as first:
            in_the_middle(ledger, first, kills)
            first.kill_group()
        before = ledger.entries()
        killed = cut_short(before)
    assert killed, "some were running"
    with worker(*OPTIONS) as second:
        finished(ids, diary, second)
    assert_ran_again_before_the_backlog(ledger, killed, len(before))
    assert_nothing_is_missing(ids, invariants, diary, faults=kills)
    for message_id in killed:
        assert "abandoned" in [outcome for _, outcome in diary.outcomes(message_id)]
        assert diary.row(message_id)["crashes"] == 1


def test_a_killed_child_is_replaced_and_its_messages_run_again_immediately(
    ids: list[str],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    with worker(*OPTIONS, env={"TEST_LEASE": "60"}) as process:
        in_the_middle(ledger, process)
        pid = ledger.entries()[-1].pid
        assert pid != process.pid
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: ledger.entries()[-1].pid != pid, of=process)
        entries = ledger.entries()
        killed = cut_short([entry for entry in entries if entry.pid == pid])
        since = max(index for index, entry in enumerate(entries) if entry.pid == pid) + 1
        finished(ids, diary, process)
        assert process.is_running
    assert killed, "some were running"
    gap_ms = entries[since].at_ms - entries[since - 1].at_ms
    assert gap_ms < 15_000, "long before the lease ends"
    assert_ran_again_before_the_backlog(ledger, killed, since)
    assert_nothing_is_missing(ids, invariants, diary)


def test_after_a_kill_of_the_supervisor_its_processes_end_and_a_new_worker_continues(
    ids: list[str],
    worker: Callable[..., WorkerProcess],
    ledger: Ledger,
    diary: Diary,
    invariants: Invariants,
):
    with worker(*OPTIONS) as first:
        in_the_middle(ledger, first)
        first.kill_supervisor()
        eventually(lambda: not first.members(), what=first.tail)
    assert cut_short(ledger.entries()) == set(), "they finished what ran"
    with worker(*OPTIONS) as second:
        finished(ids, diary, second)
    ledger.assert_each_ran_once(ids)
    assert_nothing_is_missing(ids, invariants, diary)
