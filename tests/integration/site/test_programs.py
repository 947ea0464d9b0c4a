"""A program of the launcher ends on request, or is killed with all its descendants."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from mqsite.devserver import programs
from mqsite.devserver.programs import Group, Program
from tests.support.waiting import HANG_SECONDS, eventually

from .launched_site import living

STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print("up", flush=True)
while True: signal.pause()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen]:
    """A program that ignores SIGTERM and has started another one in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    started = psutil.Process(process.pid).children()
    yield process
    Group(process.pid).kill()
    for other in living(started):
        other.kill()
    process.wait(HANG_SECONDS)
    process.stdout.close()


def test_a_program_that_does_not_end_is_killed_with_its_descendants(
    process: subprocess.Popen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(programs, "STOP_SECONDS", 0.2)
    started = psutil.Process(process.pid).children()
    program = Program("stubborn", process)
    programs.stop([program])
    eventually(lambda: program.is_gone and not living(started))
    assert program.exit_code == -signal.SIGKILL


def test_a_stopping_program_stops_immediately_on_a_second_request(process: subprocess.Popen):
    program = Program("stubborn", process)
    programs.stop([program], lambda seconds: True)
    assert program.exit_code == -signal.SIGKILL


def test_a_group_of_zombies_counts_as_gone(process: subprocess.Popen):
    group = Group(process.pid)
    assert not group.is_gone
    group.kill()
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert group.is_gone
