"""A supervisor that the system or the project hinders: it continues and tries again."""

import os
import signal
from pathlib import Path

from tests.support.waiting import eventually

from .refusing_app import REFUSED_WHILE
from .scene import Scene
from .test_kills_of_parts import keeper_of


def test_a_supervisor_that_may_not_fork_tries_again(scene: Scene, tmp_path: Path):
    refused = tmp_path / "refused"
    refused.touch()
    env = {"TEST_APPS": "tests.faults.refusing_app.RefusingConfig", REFUSED_WHILE: str(refused)}
    with scene.worker("slow", env=env) as process:
        first = scene.send("0 sent meanwhile")
        process.wait_for_line("Resource temporarily unavailable")
        refused.unlink()
        scene.done(process, first)

        keeper = keeper_of(process, scene.ledger)
        refused.touch()
        os.kill(scene.ledger.entries("end")[0].pid, signal.SIGKILL)
        keeper.kill()
        process.wait_for_line("the keeper died")
        second = scene.send("0 sent without a child")
        assert process.is_running
        refused.unlink()
        scene.done(process, second)
        process.terminate()
        assert process.wait(within_seconds=20) == 0, process.tail()


def test_a_supervisor_survives_a_log_handler_that_takes_its_childrens_exit_statuses(scene: Scene):
    env = {"DJANGO_SETTINGS_MODULE": "tests.faults.reaping_settings"}
    with scene.worker("slow", env=env) as process:
        first = scene.send("60 killed")
        scene.begun(first, process)
        scene.invariants.is_off = True
        pid = scene.ledger.entries("start")[0].pid
        os.kill(process.pid, signal.SIGUSR1)  # the supervisor logs a line for each signal
        process.wait_for_line("means nothing")
        os.kill(pid, signal.SIGKILL)
        os.kill(process.pid, signal.SIGUSR2)
        scene.begun(first, process, times=2)
        eventually(lambda: process.is_running, of=process)
