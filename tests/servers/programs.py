"""Finding a program, or saying in one line what to install."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def absent(sentence: str) -> None:
    """Skip the test at home, fail it in CI: there a missing program would hide a broken promise."""
    if os.environ.get("CI"):
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def require(program: str, install_hint: str, *, beside: tuple[str | Path, ...] = ()) -> str:
    """The path of ``program``, looked for in the folders ``beside`` and then in PATH."""
    for folder in beside:
        found = shutil.which(program, path=str(folder))
        if found:
            return found
    found = shutil.which(program)
    if found is None:
        absent(f"{program} is missing: {install_hint}")
    return str(found)
