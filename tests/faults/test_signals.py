"""Each signal to a worker stops it in order, stops it immediately, or has no effect. None counts a crash."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import psutil
import pytest

from queueing.monitoring.workers import read_workers
from tests.support.programs import require_namespace
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .scene import Scene
from .test_kills_of_parts import DEADLINE, keeper_of


def as_process_1(process: WorkerProcess) -> WorkerProcess:
    """The same worker as process 1. Signals go to ``supervisor_of``."""
    process.args = require_namespace(process.args)
    return process


def supervisor_of(process: WorkerProcess) -> psutil.Process:
    """The worker behind ``unshare``."""
    return eventually(lambda: process.children()[0], of=process)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_to_the_group_lets_the_running_message_finish(scene: Scene, number: signal.Signals):
    message_id = scene.send("3 running")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        process.signal_group(number)
        process.wait_for_line("stopping")
        assert process.wait() == 0, process.tail()
    assert scene.diary.outcomes(message_id) == [(1, "done")]
    scene.invariants.check(faults=0, drained=["slow"], diary=scene.diary)


def test_a_second_ctrl_c_gives_back_running_jobs_and_counts_no_crash(scene: Scene):
    message_id = scene.send("60 too long to wait for")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)

        def ends() -> bool:
            process.signal_group(signal.SIGINT)
            return not process.is_running

        eventually(ends, every_seconds=0.3, what=process.tail)
        assert process.wait() == 0, process.tail()
        assert process.members() == []
    assert scene.diary.outcomes(message_id) == [(1, "released")]
    row = scene.diary.row(message_id)
    assert (row["attempts"], row["crashes"]) == (0, 0)
    assert scene.client.queue_figures(["slow"])[0].ready == 1


def test_a_stopped_burst_does_not_wait_for_a_database_that_hangs(scene: Scene):
    message_id = scene.send("0 recorded later")
    with closing(sqlite3.connect(scene.diary.path)) as lock, scene.worker("slow", "--burst") as process:
        lock.execute("BEGIN EXCLUSIVE")
        eventually(lambda: len(process.children()) == 1 and message_id in scene.ledger.ids("end"), of=process)
        process.signal_group(signal.SIGTERM)
        assert process.wait() == 0, process.tail()
        assert read_workers(scene.client.session) == []
    with scene.worker("slow", "--burst") as second:
        assert second.wait() == 0, second.tail()
    assert scene.diary.outcomes(message_id) == [(1, "done")]


def test_one_ctrl_c_that_arrives_twice_lets_the_running_message_finish(scene: Scene):
    message_id = scene.send("3 running")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        process.signal_group(signal.SIGINT)
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.tail()
    assert scene.diary.outcomes(message_id) == [(1, "done")]


def test_sigquit_stops_immediately_and_gives_back_running_jobs(scene: Scene):
    message_id = scene.send("60 too long to wait for")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        process.signal_group(signal.SIGQUIT)
        assert process.wait() == 0, process.tail()
    assert scene.diary.outcomes(message_id) == [(1, "released")]
    assert scene.diary.row(message_id)["crashes"] == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE])
def test_a_signal_without_a_meaning_changes_nothing(scene: Scene, number: signal.Signals):
    message_id = scene.send("1 running")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        before = {child.pid for child in process.children()}
        process.signal_group(number)
        scene.done(process, message_id)
        assert {child.pid for child in process.children()} == before
        process.terminate()
        assert process.wait() == 0, process.tail()
    assert scene.diary.outcomes(message_id) == [(1, "done")]


def test_a_hangup_does_not_stop_a_worker_under_nohup(scene: Scene):
    message_id = scene.send("1 running")
    process = scene.worker("slow")
    process.args = ["nohup", *process.args]
    with process:
        scene.begun(message_id, process)
        process.signal_group(signal.SIGHUP)
        scene.done(process, message_id)
        scene.done(process, scene.send("0 after the hangup"))
        assert "stopping" not in process.output


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2],
)
def test_no_signal_but_kill_reaches_the_keeper(scene: Scene, number: signal.Signals):
    message_id = scene.send("1 running")
    with scene.worker("slow") as process:
        scene.begun(message_id, process)
        keeper = keeper_of(process, scene.ledger)
        keeper.send_signal(number)
        scene.done(process, message_id)
        assert keeper.is_running()
        assert "the keeper died" not in process.output


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_watched_worker_stops_in_order_with_its_watcher(scene: Scene, number: signal.Signals):
    message_id = scene.send("3 running")
    with scene.worker("slow", "--watch") as process:
        scene.begun(message_id, process)
        process.signal(number)
        eventually(lambda: not process.members(), what=process.tail)
    assert scene.diary.outcomes(message_id) == [(1, "done")]


def test_a_watched_worker_that_was_killed_is_started_again(scene: Scene):
    message_id = scene.send("0 running")
    with scene.worker("slow", "--watch") as process:
        scene.done(process, message_id)
        [supervisor] = process.children()
        supervisor.kill()
        supervisor.wait(60)
        scene.done(process, scene.send("0 later"))


def test_a_second_ctrl_c_reaches_a_watched_worker(scene: Scene):
    message_id = scene.send("60 too long to wait for")
    with scene.worker("slow", "--watch") as process:
        scene.begun(message_id, process)

        def ends() -> bool:
            process.signal(signal.SIGINT)
            return not process.is_running

        eventually(ends, every_seconds=0.3, what=process.tail)
        assert process.members() == []
    assert scene.diary.outcomes(message_id) == [(1, "released")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_during_the_start_ends_process_1(scene: Scene, number: signal.Signals):
    process = as_process_1(scene.worker("slow", env={"TEST_APPS": "tests.faults.slow_start_app"}))
    with process:
        process.wait_for_line("importing")
        supervisor_of(process).send_signal(number)
        assert process.wait() == 0, process.tail()
    assert "Traceback" not in process.output


def test_process_1_reaps_orphans_and_leaves_exit_statuses_to_their_parents(scene: Scene):
    process = as_process_1(scene.worker("orphaning", env={"TEST_APPS": "tests.faults.orphans_app"}))
    scene.client.create_queue("orphaning")
    with process:
        ids = scene.client.send_messages("orphaning", ["x"] * 4)
        scene.done(process, *ids)
        assert scene.ledger.ids("end") == ids
        supervisor = supervisor_of(process)
        eventually(lambda: len(supervisor.children(recursive=True)) == 2, of=process)
        for child in supervisor.children():
            child.kill()
        process.wait_for_line("was killed by SIGKILL")
        process.wait_for_line("the keeper died")
        supervisor.terminate()
        assert process.wait() == 0, process.tail()


def test_without_redis_the_keeper_of_a_killed_worker_ends_and_others_find_its_message(
    scene: Scene, redis_server: RedisServer
):
    message_id = scene.send("60 cut short")
    with scene.worker("slow", "--grace", "1", env={"TEST_LEASE": "5"}) as process:
        scene.begun(message_id, process)
        keeper = keeper_of(process, scene.ledger)
        [child] = [one for one in process.children() if one != keeper]
        redis_server.kill()
        child.kill()
        process.kill_supervisor()
        eventually(lambda: not process.members(), what=process.tail)
    redis_server.start()
    with scene.worker("slow") as second:
        [born] = eventually(lambda: read_workers(scene.client.session), of=second)
        scene.begun_again(message_id, second, since_ms=born.started_ms, within_seconds=DEADLINE)


def test_a_child_that_holds_the_interpreter_lock_ends_after_its_supervisor(scene: Scene):
    scene.client.create_queue("hard")
    message_id = scene.client.send_message("hard", "lock 600")
    with scene.worker("hard", "--grace", "1") as process:
        scene.begun(message_id, process)
        process.kill_supervisor()
        eventually(lambda: not process.members(), what=process.tail)


def test_a_projects_signal_for_stack_dumps_keeps_its_handler():
    program = (
        "import faulthandler, os, signal; faulthandler.register(signal.SIGUSR1)\n"
        "from queueing.worker.stop_signals import StopSignals; StopSignals()\n"
        "os.kill(os.getpid(), signal.SIGUSR1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "most recent call first" in done.stderr) == (0, True), done.stderr


def test_a_worker_whose_starter_has_blocked_signals_receives_them():
    program = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "from queueing.worker.stop_signals import StopSignals; signals = StopSignals()\n"
        "if not os.fork(): os._exit(0)\n"
        "signals.wait(600)\n"
        "os.kill(os.getpid(), signal.SIGTERM); signals.read()\n"
        "print(signals.stops)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
