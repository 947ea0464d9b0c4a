"""The Makefile: its messages without a usable Python, and when it rebuilds the environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT, require


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile with requirements that need no network."""
    require("make", "apt-get install make")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("# nothing\n")
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make in the folder, without the variables of the make that runs the tests."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def python_that(folder: Path, fails_on: str) -> str:
    """A Python that fails on one-line programs that contain ``fails_on``."""
    path = folder / "broken-python"
    path.write_text(f'#!/bin/sh\ncase "$*" in *"{fails_on}"*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_make_lists_its_commands(folder: Path):
    done = make(folder)
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed[:4] == ["help", "run", "test", "soak"]
    assert set(listed) >= {"lint", "format", "wheel", "clean"}


def test_a_python_without_ensurepip_gives_one_line_with_the_package_to_install(folder: Path):
    done = make(folder, "test", f"PYTHON={python_that(folder, 'ensurepip')}")
    sentence, *rest = done.stderr.splitlines()
    major, minor = sys.version_info[:2]
    assert done.returncode == 2
    assert f"apt install python{major}.{minor}-venv" in sentence
    assert all(line.startswith("make: ***") for line in rest)
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize("python", ["", "/nowhere/python3"])
def test_no_usable_python_gives_one_line(folder: Path, python: str):
    done = make(folder, "run", f"PYTHON={python or python_that(folder, 'version_info')}")
    sentence, *rest = done.stderr.splitlines()
    assert sentence.startswith("Python 3.11 or newer is needed")
    assert all(line.startswith("make: ***") for line in rest)


def test_the_environment_is_made_once_and_an_incomplete_one_is_made_again(folder: Path):
    stamp = folder / ".venv/.made"
    words = (".venv/.made", f"PYTHON={sys.executable}")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to("/nowhere/python")
    assert make(folder, *words).returncode == 0
    made = stamp.stat().st_mtime_ns

    assert "up to date" in make(folder, *words).stdout
    assert stamp.stat().st_mtime_ns == made

    (folder / "requirements.txt").write_text("# something else\n")
    os.utime(folder / "requirements.txt", ns=(made + 10**9, made + 10**9))
    kept = folder / ".venv/kept"
    kept.touch()
    assert make(folder, *words).returncode == 0
    assert stamp.stat().st_mtime_ns > made
    assert kept.exists(), "new requirements are installed into the environment that is there"


def test_requirements_that_cannot_be_installed_leave_no_stamp(folder: Path):
    (folder / "requirements-dev.txt").write_text("./no-such-folder\n")
    assert make(folder, ".venv/.made", f"PYTHON={sys.executable}").returncode == 2
    assert not (folder / ".venv/.made").exists()
