"""Processes that a handler starts: forks that return, pools, programs."""

import os
import signal
from collections.abc import Callable
from functools import partial

import psutil
import pytest

from tests.support.ledger import Ledger
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .scene import Scene

Forker = Callable[..., WorkerProcess]


@pytest.fixture
def forker(scene: Scene) -> Forker:
    """Makes workers of a queue whose handlers start processes."""

    def make(queue: str, *options: str) -> WorkerProcess:
        for name in queue.split():
            scene.client.create_queue(name)
        return scene.worker(*queue.split(), *options, env={"TEST_APPS": "tests.faults.forking_app"})

    return make


def fork_pids(ledger: Ledger) -> set[int]:
    return {entry.pid for entry in ledger.entries("fork")}


def said(ledger: Ledger, event: str) -> list[str]:
    """The bodies of all lines of one kind."""
    return [entry.body.strip("'") for entry in ledger.entries(event)]


def all_ended(pids: set[int]) -> bool:
    return not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- forks that return --------------------------------------------------------------------------

ENDS = {"return": "0", "raise": "1", "exit": "3"}


@pytest.mark.parametrize("how", ENDS)
def test_a_fork_that_leaves_its_handler_ends_and_the_parent_continues(scene: Scene, forker: Forker, how: str):
    with forker("forking") as process:
        sent = scene.client.send_message("forking", how)
        eventually(lambda: scene.ledger.ids("end") == [sent], of=process)
        eventually(lambda: scene.diary.row(sent).get("state") == "done", of=process)
        assert all_ended(fork_pids(scene.ledger))
        assert len(process.members()) == 3, "supervisor, keeper, child"
    assert said(scene.ledger, "end") == [ENDS[how]]
    assert scene.diary.outcomes(sent) == [(1, "done")]


def test_a_fork_that_returns_a_coroutine_ends_without_its_parents_event_loop(scene: Scene, forker: Forker):
    with forker("forking ticking-async") as process:
        tick = scene.client.send_message("ticking-async", "1")
        eventually(lambda: scene.ledger.ids("end") == [tick], within_seconds=30, of=process)
        sent = scene.client.send_message("forking", "return a coroutine")
        eventually(lambda: scene.ledger.ids("end") == [tick, sent], within_seconds=30, of=process)
    assert said(scene.ledger, "end") == ["1", "0"]
    assert not scene.ledger.entries("awaited")


@pytest.mark.parametrize("how", [*ENDS, "await", "yield"])
def test_a_fork_of_an_async_handler_ends_and_runs_none_of_the_other_handlers(
    scene: Scene, forker: Forker, how: str
):
    with forker("forking-async ticking-async", "--threads", "3") as process:
        tick = scene.client.send_message("ticking-async", "400")
        eventually(lambda: scene.ledger.count("tick") > 3, of=process)
        sent = scene.client.send_message("forking-async", how)
        eventually(lambda: scene.diary.ids("done") == {tick, sent}, of=process)
    ends = {entry.message_id: entry.body.strip("'") for entry in scene.ledger.entries("end")}
    assert ends == {tick: "400", sent: ENDS.get(how, "1")}
    assert said(scene.ledger, "tick") == list(map(str, range(400)))
    assert len({entry.pid for entry in scene.ledger.entries("tick")}) == 1


@pytest.mark.parametrize("how", ENDS)
def test_a_fork_in_a_transaction_does_not_touch_its_parents_transaction(
    scene: Scene, forker: Forker, how: str
):
    with forker("forking-database") as process:
        sent = scene.client.send_message("forking-database", how)
        eventually(lambda: scene.diary.row(sent).get("state"), of=process)
    assert scene.diary.outcomes(sent) == [(1, "done")], process.tail()
    assert said(scene.ledger, "end") == [ENDS[how]]
    names = scene.diary.query("SELECT name FROM auth_group ORDER BY name")
    assert [name for (name,) in names] == [f"after {how}", f"before {how}"]


def test_a_fork_that_returns_does_not_hide_a_crash_of_its_parent(scene: Scene, forker: Forker):
    with forker("forking-crashes") as process:
        sent = scene.client.send_message("forking-crashes", "x")
        eventually(lambda: scene.diary.row(sent).get("state") == "dead", of=process)
    assert scene.ledger.runs()[sent] == 3
    assert scene.diary.row(sent)["crashes"] == 3


@pytest.mark.parametrize("kind", ["pool", "process"])
def test_a_handler_can_terminate_its_forks(scene: Scene, forker: Forker, kind: str):
    with forker("pooling") as process:
        sent = scene.client.send_message("pooling", kind)
        eventually(lambda: scene.ledger.ids("end") == [sent], of=process)
        eventually(lambda: scene.diary.row(sent).get("state") == "done", of=process)


@pytest.mark.parametrize("kind", ["executors", "pools"])
def test_pools_that_a_handler_keeps_end_with_its_child(scene: Scene, forker: Forker, kind: str):
    with forker("keeping-pools", "--max-jobs", "1") as process:
        sent = [scene.client.send_message("keeping-pools", kind) for _ in range(2)]
        eventually(lambda: sorted(scene.ledger.ids("end")) == sorted(sent), within_seconds=30, of=process)
        pids = {int(body) for body in said(scene.ledger, "program")}
        assert len(pids) == 4
        eventually(partial(all_ended, pids), within_seconds=20, of=process)
        scene.done(process, *sent)
    assert "killed" not in process.output


def test_a_fork_of_a_handler_can_be_interrupted(scene: Scene, forker: Forker):
    with forker("interrupting") as process:
        sent = scene.client.send_message("interrupting", "x")
        eventually(lambda: scene.ledger.ids("end") == [sent], of=process)
    assert said(scene.ledger, "end") == ["7"]


# --- programs -----------------------------------------------------------------------------------

KINDS = ["plain", "under a shell", "left by a shell"]


def program_pids(ledger: Ledger) -> set[int]:
    """The programs that handlers have started, and their descendants."""
    started = {int(body) for body in said(ledger, "program")}
    below: set[int] = set()
    for pid in started:
        try:
            below |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
        except psutil.NoSuchProcess:
            continue
    return started | below


def begun(scene: Scene, process: WorkerProcess, kind: str) -> set[int]:
    """The programs of the first attempt, once all of them run."""
    count = {"plain": 1, "in a session of its own": 1, "under a shell": 2, "left by a shell": 3}[kind]

    def found() -> set[int] | None:
        pids = program_pids(scene.ledger)
        return pids if len(pids) == count else None

    return eventually(found, of=process)


@pytest.mark.parametrize("kind", [*KINDS, "in a session of its own"])
def test_a_time_limit_ends_the_program_that_its_handler_waits_for(scene: Scene, forker: Forker, kind: str):
    with forker("limited-programs") as process:
        sent = scene.client.send_message("limited-programs", f"wait: {kind}")
        first = begun(scene, process, kind)
        eventually(lambda: scene.ledger.runs()[sent] == 2, of=process)
        assert all_ended(first), "before the next attempt"
        eventually(lambda: scene.diary.row(sent).get("state") == "dead", of=process)
        eventually(partial(all_ended, program_pids(scene.ledger)), of=process)


@pytest.mark.parametrize("kind", [*KINDS, "in a session of its own"])
def test_the_end_of_the_grace_time_ends_the_program_of_a_handler(scene: Scene, forker: Forker, kind: str):
    with forker("programs", "--grace", "1") as process:
        sent = scene.client.send_message("programs", f"wait: {kind}")
        programs = begun(scene, process, kind)
        process.terminate()
        assert process.wait() == 0
    assert all_ended(programs)
    assert scene.diary.outcomes(sent) == [(1, "released")]


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_of_a_child_ends_the_program_of_its_handler(scene: Scene, forker: Forker, kind: str):
    with forker("programs") as process:
        scene.client.send_message("programs", f"wait: {kind}")
        programs = begun(scene, process, kind)
        os.kill(scene.ledger.entries("start")[0].pid, signal.SIGKILL)
        eventually(partial(all_ended, programs), of=process)


@pytest.mark.parametrize("how", ["kill", "segfault"])
def test_a_crash_of_a_child_ends_the_program_of_its_handler(scene: Scene, forker: Forker, how: str):
    with forker("programs") as process:
        sent = scene.client.send_message("programs", f"{how}: plain")
        eventually(lambda: scene.diary.row(sent).get("state") == "dead", of=process)
        eventually(partial(all_ended, program_pids(scene.ledger)), of=process)


def test_the_program_of_an_orphaned_child_ends_with_the_child(scene: Scene, forker: Forker):
    with forker("programs", "--grace", "2") as process:
        scene.client.send_message("programs", "wait: under a shell")
        programs = begun(scene, process, "under a shell")
        process.kill_supervisor()
        eventually(partial(all_ended, programs), what=process.tail)
        eventually(lambda: not process.members(), what=process.tail)


def test_a_program_left_by_a_done_message_runs_until_its_child_is_killed(scene: Scene, forker: Forker):
    with forker("programs") as process:
        sent = scene.client.send_message("programs", "end: plain")
        eventually(lambda: scene.diary.row(sent).get("state") == "done", of=process)
        programs = program_pids(scene.ledger)
        assert not all_ended(programs)
        os.kill(scene.ledger.entries("start")[0].pid, signal.SIGKILL)
        eventually(partial(all_ended, programs), of=process)


def test_a_signal_to_the_group_does_not_reach_the_program_of_a_handler(scene: Scene, forker: Forker):
    with forker("programs", "--grace", "3") as process:
        scene.client.send_message("programs", "wait: plain")
        [program] = begun(scene, process, "plain")
        os.killpg(process.pid, signal.SIGTERM)
        process.wait_for_line("stopping")
        os.killpg(process.pid, signal.SIGINT)
        assert _is_alive(program)
        assert process.wait() == 0
    assert not _is_alive(program)
