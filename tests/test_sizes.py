"""Limits of the product code: the lines of files and functions, and the bases of classes."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for package in ("queueing", "jobs", "mqsite") for path in (ROOT / package).rglob("*.py"))

FILE_LINES, FUNCTION_LINES = 350, 40
#: The most modules at the root of ``queueing``, beside its packages.
ROOT_FILES = 18


@cache
def trees() -> dict[Path, ast.Module]:
    """Parsed in the first test, not when the tests are collected."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_no_file_is_longer_than_350_lines():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES
    }
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_the_root_of_queueing_has_few_modules():
    assert len(list((ROOT / "queueing").glob("*.py"))) <= ROOT_FILES


def test_no_function_is_longer_than_40_lines():
    lengths = {
        place: node.end_lineno - node.lineno + 1
        for place, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1000
    assert {place: lines for place, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_class_has_two_bases_of_the_project():
    # The classes of the project, by their bare names.
    own = {node.name for _, node in nodes(ast.ClassDef)}
    found = {place: [base for base in node.bases if bare(base) in own] for place, node in nodes(ast.ClassDef)}
    assert [place for place, bases in found.items() if len(bases) > 1] == []


def bare(base: ast.expr) -> str:
    """The name of a base without its module and its type parameters."""
    return ast.unparse(base).partition("[")[0].rpartition(".")[2]
