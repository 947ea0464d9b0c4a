"""A copy of the project in a folder of its own, so that tests never change the developer's ``var/``."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.programs import ROOT

#: Removes each variable that affects the site. A test sets the variables that it needs.
PATH_ONLY = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def copy_project(folder: Path) -> Path:
    """Copy the files of a deployment to ``folder``, without tests, and with existing bytecode."""
    for name in ("mqsite", "queueing", "jobs", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=_half_written)
    for name in ("manage.py", "Procfile", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _half_written(folder: str, names: list[str]) -> set[str]:
    """Bytecode that another test process is about to rename."""
    return {name for name in names if Path(folder).name == "__pycache__" and not name.endswith(".pyc")}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder with only ``variables``, for a limited time."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=PATH_ONLY | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
