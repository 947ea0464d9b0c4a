"""A child is found again by its file, and a stranger with its number is not."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqsite.own_process import OwnProcess
from tests.servers.waiting import eventually

SLEEP = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[OwnProcess]:
    process = OwnProcess("child", tmp_path / "child.pid")
    process.start(SLEEP, cwd=tmp_path, port=7)
    yield process
    process.kill()


def test_another_launcher_finds_it_and_its_facts(child: OwnProcess):
    other = OwnProcess("child", child.path)
    assert other.find()
    assert (other.pid, other.facts) == (child.pid, {"port": 7})
    other.stop(5)
    assert not child.running()
    assert not OwnProcess("child", child.path).find()


def test_a_stranger_with_the_same_number_is_left_alone(child: OwnProcess):
    known = json.loads(child.path.read_text())
    child.path.write_text(json.dumps(known | {"created": known["created"] - 60}))
    other = OwnProcess("child", child.path)
    assert not other.find()
    other.stop(1)
    assert child.running()


@pytest.mark.parametrize("content", ["", "{}", "123", "null", '{"pid": -1, "created": 0}'])
def test_a_broken_file_remembers_nobody(tmp_path: Path, content: str):
    file = tmp_path / "child.pid"
    file.write_text(content)
    assert not OwnProcess("child", file).find()


def test_one_that_does_not_want_to_end_is_killed(tmp_path: Path):
    stubborn = (
        "import signal; signal.signal(signal.SIGTERM, print); open('up', 'w')\nwhile True: signal.pause()"
    )
    process = OwnProcess("child", tmp_path / "child.pid")
    process.start([sys.executable, "-c", stubborn], cwd=tmp_path)
    eventually((tmp_path / "up").exists)
    process.stop(0.2)
    assert process.exit_code == -9
