"""The types of the public names serve a project that checks its own code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import queueing
from tests.support.programs import ROOT, absent

MYPY = ("--strict", "--config-file=", "--follow-imports=silent", "--cache-dir=.cache")
USER_PROJECT = Path(__file__).with_name("user_project.py")


def check(*command: str, cwd: Path) -> str:
    env = {**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The file of the user, far from the configuration of this project."""
    file = tmp_path / "shop.py"
    file.write_text(USER_PROJECT.read_text())
    return file


def test_the_package_is_marked_as_typed():
    assert Path(queueing.__file__).with_name("py.typed").is_file()


def test_a_users_project_passes_mypy_strict(copy: Path):
    assert check("mypy", *MYPY, copy.name, cwd=copy.parent) == ""


def test_a_wrong_call_does_not_pass(copy: Path):
    copy.write_text("from queueing import get_client\n\nget_client().create_queue(vt='long')\n")
    found = check("mypy", *MYPY, copy.name, cwd=copy.parent)
    assert "Too few arguments" in found
    assert 'Argument "vt" has incompatible type "str"; expected "int | None"' in found


def test_a_result_that_is_not_awaited_does_not_pass(copy: Path):
    copy.write_text("from queueing import aget_client\n\nid: str = aget_client().send_message('q', 'text')\n")
    assert "Incompatible types in assignment" in check("mypy", *MYPY, copy.name, cwd=copy.parent)


def test_a_users_project_passes_pyright(copy: Path):
    if found := check("pyright", "--version", cwd=copy.parent):
        absent(f"pyright is missing: pip install pyright, and it needs npm at its first run ({found[-200:]})")
    config = {"include": [copy.name], "extraPaths": [str(ROOT)], "reportMissingImports": "error"}
    (copy.parent / "pyrightconfig.json").write_text(json.dumps(config))
    assert check("pyright", f"--pythonpath={sys.executable}", cwd=copy.parent) == ""
