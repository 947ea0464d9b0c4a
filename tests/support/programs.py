"""Finds installed programs, or prints in one line how to install them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def absent(sentence: str) -> None:
    """Skip the test at home, but fail it in CI: a missing program would hide a broken promise."""
    if os.environ.get("CI"):
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def require(program: str, install_hint: str, *, beside: tuple[str | Path, ...] = ()) -> str:
    """The path of ``program``, searched in the folders ``beside`` and then in PATH."""
    for folder in beside:
        found = shutil.which(program, path=str(folder))
        if found:
            return found
    found = shutil.which(program)
    if found is None:
        absent(f"{program} is missing: {install_hint}")
    return str(found)


#: Runs a command as process 1, as a container does: in its own namespace of process numbers.
AS_PROCESS_1 = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def require_namespace(args: Sequence[str]) -> list[str]:
    """The command that runs ``args`` as process 1. Send signals to the child of ``unshare``."""
    try:
        subprocess.run([*AS_PROCESS_1, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        absent("unshare cannot make a namespace of process numbers: run the tests as root on Linux")
    return [*AS_PROCESS_1, *args]
