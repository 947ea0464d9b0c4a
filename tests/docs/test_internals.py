"""The pages for maintainers name files and functions that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "docs/internals.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_a_page_names_exists(page: str) -> None:
    names = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", text_of(page))
    paths = [name for name in names if "/" in name or name.endswith((".py", ".lua", ".md"))]
    assert len(paths) > 10
    assert [path for path in paths if not exists(path)] == []


def exists(path: str) -> bool:
    """Whether a path of the project or the bare name of a Python or Lua file of the queue is there."""
    if "/" in path or (ROOT / path).exists():
        return (ROOT / path).exists()
    return any(True for _ in (ROOT / "queueing").rglob(path))


def test_each_function_of_the_walk_is_in_its_file() -> None:
    rows = re.findall(r"^\| \d+ \| `([^`]+)` \| ([^|]*) \|.*\|$", text_of("docs/internals.md"), re.MULTILINE)
    steps = [(file, name) for file, names in rows for name in re.findall(r"`([\w.]+)`", names)]
    functions = [(file, name) for file, name in steps if (ROOT / file).suffix == ".py" and "/" not in name]
    wrong = [
        (file, name)
        for file, name in functions
        if not re.search(rf"^\s*(def|class) {name.rpartition('.')[2]}\b", text_of(file), re.MULTILINE)
    ]
    assert len(functions) >= 20
    assert wrong == []
