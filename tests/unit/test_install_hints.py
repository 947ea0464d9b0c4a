"""The messages about missing packages name an extra of the distribution."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HINT = re.compile(r"pip install (\S+)")
HINTS = [
    (path.relative_to(ROOT).as_posix(), text)
    for path in sorted((ROOT / "queueing").rglob("*.py"))
    for text in HINT.findall(path.read_text(encoding="utf-8"))
]


def test_there_are_hints() -> None:
    assert HINTS


@pytest.mark.parametrize(("path", "text"), HINTS)
def test_a_hint_names_an_extra_so_that_pip_installs_a_version_that_fits(path: str, text: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    extra = re.match(r'"django-rsmq\[(\w+)\]"', text)
    assert extra is not None, f"{path} recommends {text}"
    assert extra[1] in extras
