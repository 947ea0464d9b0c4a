"""``kill -9`` of the parts of a worker, alone and together, and how soon the rest replaces them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from queueing.conf import Config
from tests.support.ledger import Ledger
from tests.support.stalls import Stalls
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .scene import Scene

#: Seconds. A machine that stalls for less than three of them costs no lease.
LEASE = 5
OF_LEASE = {"TEST_LEASE": str(LEASE)}
#: Seconds from the kill within which an interrupted message must run again.
DEADLINE = 15


def keeper_of(process: WorkerProcess, ledger: Ledger) -> psutil.Process:
    """The only child of the supervisor in which nothing has run."""
    ran = {entry.pid for entry in ledger.entries()}
    [keeper] = [child for child in process.children() if child.pid not in ran]
    return keeper


def test_a_killed_child_is_replaced_within_a_second_and_its_job_runs_again(scene: Scene, stalls: Stalls):
    message_id = scene.send("1 cut short")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        keeper, pid = keeper_of(process, scene.ledger), scene.ledger.entries()[0].pid
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        [new] = eventually(
            lambda: [child for child in process.children() if child.pid not in (pid, keeper.pid)], of=process
        )
        assert stalls.awake(killed, new.create_time()) < 1
        scene.begun_again(message_id, process, since_ms=killed * 1000, within_seconds=DEADLINE)
        scene.done(process, message_id)
        assert keeper.is_running()
    assert scene.diary.outcomes(message_id) == [(1, "abandoned"), (2, "done")]
    scene.invariants.check(faults=1, drained=["slow"], diary=scene.diary)


def test_a_killed_keeper_is_replaced_and_no_lease_ends(scene: Scene):
    message_id = scene.send(f"{3 * LEASE} longer than its lease")
    with scene.worker("slow", env=OF_LEASE) as process, scene.worker("slow", env=OF_LEASE) as other:
        scene.begun(message_id, process)
        struck = process if scene.ledger.entries()[0].pid in {c.pid for c in process.children()} else other
        keeper_of(struck, scene.ledger).kill()
        struck.wait_for_line("the keeper died")
        scene.done(struck, message_id)
    scene.ledger.assert_each_ran_once([message_id])
    scene.invariants.check(faults=0, drained=["slow"], diary=scene.diary)


def test_a_log_that_hangs_costs_no_lease(scene: Scene, tmp_path: Path):
    hanging = tmp_path / "hanging"
    env = {"DJANGO_SETTINGS_MODULE": "tests.faults.hanging_log_settings", "HANGING": str(hanging), **OF_LEASE}
    long, short = scene.send(f"{3 * LEASE} longer than its lease"), scene.send("4 cut short")
    with scene.worker("slow", "--processes", "2", "--max-jobs", "1", env=env) as struck:
        scene.begun(long, struck)
        scene.begun(short, struck)
        hanging.touch()
        [pid] = [entry.pid for entry in scene.ledger.entries() if entry.message_id == short]
        os.kill(pid, signal.SIGKILL)
        with scene.worker("slow", env=OF_LEASE) as other:
            scene.done(other, short)
            eventually(lambda: long in scene.ledger.ids("end"), within_seconds=60, of=other)
            hanging.unlink()
            scene.done(struck, long)
            struck.wait_for_line("gave back 1 message of")
    assert scene.ledger.runs() == {long: 1, short: 2}


def test_a_supervisor_that_loses_child_and_keeper_together_replaces_both(scene: Scene):
    message_id = scene.send("1 cut short")
    with scene.worker("slow", env=OF_LEASE) as process:
        scene.begun(message_id, process)
        killed_ms = time.time() * 1000
        for child in process.children():
            child.kill()
        scene.begun_again(message_id, process, since_ms=killed_ms, within_seconds=DEADLINE)
        scene.done(process, message_id)
        assert len(process.children()) == 2
    scene.invariants.check(faults=1, drained=["slow"], diary=scene.diary)


def test_an_orphaned_child_finishes_its_job_and_ends(scene: Scene):
    message_id = scene.send("1 alone")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        keeper = keeper_of(process, scene.ledger)
        process.kill_supervisor()
        keeper.kill()
        eventually(lambda: not process.members(), what=process.tail)
    assert scene.ledger.ids("end") == [message_id]
    assert scene.client.get_queue_attributes("slow").msgs == 0, "it has settled"
    with scene.worker("slow", "--burst") as second:
        assert second.wait() == 0, second.tail()
    scene.ledger.assert_each_ran_once([message_id])
    scene.invariants.check(faults=0, drained=["slow"], diary=scene.diary)


def test_with_the_default_lease_the_job_of_a_killed_worker_runs_again_before_the_backlog(
    scene: Scene, figure: Callable[[str], None]
):
    default = {"TEST_LEASE": str(Config().LEASE)}
    message_id = scene.send("1 cut short")
    with scene.worker("slow", env=default) as first:
        scene.begun(message_id, first)
        pid = scene.ledger.entries()[0].pid
        scene.client.send_messages("slow", ["0.5 backlog"] * 7200)
        with scene.worker("slow", env=default) as second:
            eventually(lambda: len({e.pid for e in scene.ledger.entries()}) == 2, of=second)
            starts = _starts(scene.ledger, pid)
            eventually(lambda: _starts(scene.ledger, pid) > starts, of=first)
            killed_ms = time.time() * 1000
            first.kill_group()
            victims = _cut_short(scene.ledger, pid)
            eventually(lambda: _ran_again(scene.ledger, victims), of=second)
    rerun_ms = max(e.at_ms for e in scene.ledger.entries("start") if e.message_id in victims and e.rc > 1)
    figure(f"kill -9 of a worker, an hour of backlog: run again after {(rerun_ms - killed_ms) / 1000:.1f} s")
    assert rerun_ms - killed_ms < DEADLINE * 1000
    scene.invariants.check(faults=1)


def test_a_finished_job_that_may_run_once_does_not_run_again_because_another_kills_their_process(
    scene: Scene,
):
    scene.client.create_queue("once")
    *finished, killing = scene.client.send_messages("once", ["x"] * 30 + ["kill"])
    with scene.worker("once", "--threads", "1") as process:
        ended = lambda: scene.diary.ids("done") | scene.diary.ids("dead")  # noqa: E731
        eventually(lambda: ended() == {*finished, killing}, of=process)
    assert set(scene.ledger.runs().values()) == {1}
    assert scene.ledger.runs().keys() == {*finished, killing}
    assert killing in scene.diary.ids("dead")
    scene.invariants.check(faults=0, drained=["once"], diary=scene.diary)


def _starts(ledger: Ledger, pid: int) -> int:
    return sum(entry.pid == pid for entry in ledger.entries("start"))


def _cut_short(ledger: Ledger, pid: int) -> set[str]:
    begun = {entry.message_id for entry in ledger.entries("start") if entry.pid == pid}
    return begun - set(ledger.ids("end"))


def _ran_again(ledger: Ledger, victims: set[str]) -> bool:
    return victims <= {entry.message_id for entry in ledger.entries("start") if entry.rc > 1}
