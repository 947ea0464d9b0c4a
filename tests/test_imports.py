"""Rules about imports that import-linter cannot check, read from the imports themselves."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


#: The source of each module, by its name.
SOURCES = {
    _module_name(path): path.read_text(encoding="utf-8")
    for package in ("queueing", "jobs", "mqsite")
    for path in sorted((ROOT / package).rglob("*.py"))
}

#: The developer's launcher, which starts a Redis and hands an environment to its children.
LAUNCHER = {"mqsite.devserver.run", "mqsite.devserver.database"}
#: The settings read ``os.environ``; the start-up fills it from a file before.
READS_ENVIRONMENT = {"mqsite.settings", "mqsite.startup"}


def _reads_environment(source: str) -> bool:
    """Whether a module uses ``os.environ``, except to name the settings module as Django's entry points
    do.
    """
    tree = ast.parse(source)
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
    assert not [name for name in SOURCES if name not in allowed and _reads_environment(SOURCES[name])]


@pytest.mark.parametrize("package", ["queueing.worker", "queueing.handlers"])
def test_the_worker_never_imports_django_tasks(package: str):
    imports_tasks = re.compile(r"^\s*(from|import) django[._]tasks\b", re.MULTILINE)
    sources = {name: source for name, source in SOURCES.items() if name.startswith(package)}
    assert sources
    assert not [name for name, source in sources.items() if imports_tasks.search(source)]


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
    entrances = {"mqsite.wsgi", "mqsite.asgi", "mqsite.gunicorn"}  # they start a process, so they may
    names = sorted(name for name in SOURCES if name not in entrances and not name.endswith("__main__"))
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
