"""Rules about imports that import-linter cannot check, read from the imports themselves."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("queueing", "jobs", "mqsite")

#: What only the developer's launcher runs: it starts a Redis and hands an environment to its children.
LAUNCHER = {"mqsite.launcher", "mqsite.embedded_redis", "mqsite.fake_redis"}
#: Who reads ``os.environ``, and who fills it from a file before the settings read it.
READS_ENVIRONMENT = {"mqsite.settings", "mqsite.startup"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file and the names of what it imports, lazily too, but not for type checkers only."""

    name: str
    path: Path
    tree: ast.Module
    imports: frozenset[str]


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        prefix = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            yield f"{prefix}.{alias.name}"


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not _is_for_type_checkers(child):
            yield child
            yield from _walk(child)


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    package = name if is_package else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    imports = frozenset(found for node in _walk(tree) for found in _imported(node, package))
    return Module(name, path, tree, imports)


MODULES = {
    module.name: module
    for package in PACKAGES
    for module in map(_read, sorted((ROOT / package).rglob("*.py")))
}


def _targets(module: Module) -> set[str]:
    """The modules of this project that ``module`` imports (``from . import a`` is ``a``, not the package)."""
    found = set()
    for name in module.imports:
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        if name and name != module.name:
            found.add(name)
    return found


def _imports_any(module: Module, *names: str) -> bool:
    return any(found == name or found.startswith(f"{name}.") for found in module.imports for name in names)


def inside(package: str) -> list[Module]:
    return [module for name, module in MODULES.items() if name.split(".")[0] == package]


def test_the_queue_knows_neither_the_application_nor_the_site():
    wrong = [module.name for module in inside("queueing") if _imports_any(module, "jobs", "mqsite", "tests")]
    assert not wrong


def test_the_application_knows_no_site():
    assert not [module.name for module in inside("jobs") if _imports_any(module, "mqsite", "tests")]


def test_nothing_imports_in_a_circle():
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in sorted(_targets(MODULES[name])):
                visit(target, (*way, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_only_the_broker_and_the_client_speak_redis():
    wrong = [
        module.name
        for module in MODULES.values()
        if _imports_any(module, "redis")
        and not module.name.startswith(("queueing.broker", "queueing.client"))
        and module.name not in {"queueing.testing", *LAUNCHER}
    ]
    assert not wrong


def _reads_environment(tree: ast.Module) -> bool:
    """Whether it touches ``os.environ``, but for naming the settings module as Django's entrances do."""
    names_settings = "os.environ.setdefault('DJANGO_SETTINGS_MODULE'"
    allowed = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node).startswith(names_settings)
        for child in ast.walk(node)
    }
    touched = ("os.environ", "os.getenv", "os.environb", "os.putenv")
    return any(
        id(node) not in allowed and ast.unparse(node) in touched
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    )


def test_only_the_settings_read_the_environment():
    allowed = READS_ENVIRONMENT | LAUNCHER
    assert not [m.name for m in MODULES.values() if m.name not in allowed and _reads_environment(m.tree)]


@pytest.mark.parametrize("package", ["queueing.worker", "queueing.handlers"])
def test_the_worker_never_imports_django_tasks(package: str):
    wrong = [
        module.name
        for module in MODULES.values()
        if module.name.startswith(package) and _imports_any(module, "django.tasks", "django_tasks")
    ]
    assert not wrong


def test_nothing_unpickles():
    assert not [m.name for m in MODULES.values() if _imports_any(m, "pickle", "marshal", "shelve", "dill")]


IMPORT_ALL = """
import importlib, os, socket, sqlite3, sys, threading

def forbidden(*args, **kwargs):
    raise AssertionError(f"done at import: {args}")

socket.socket.connect = socket.socket.bind = forbidden
sqlite3.connect = sqlite3.dbapi2.connect = forbidden
threading.Thread.start = forbidden
os.fork = forbidden

import django
django.setup()
from django.db.models.sql.compiler import SQLCompiler
SQLCompiler.execute_sql = forbidden
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_nothing_connects_or_starts_a_thread_at_import():
    entrances = {"mqsite.wsgi", "mqsite.asgi", "mqsite.gunicorn"}  # they begin a process, so they may
    names = sorted(name for name in MODULES if name not in entrances and not name.endswith("__main__"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mqsite.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
