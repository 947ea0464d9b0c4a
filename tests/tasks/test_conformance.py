"""Django's own test cases for its task backends pass on ours, but for those that ask for another one.

They are in Django's source distribution, not in what pip installs. ``DJANGO_SOURCES`` names it, packed
or unpacked; without it there is nothing to run.
"""

import json
import os
import re
import sys
import tarfile
from pathlib import Path

import django
import pytest

from tests.servers.program import Program
from tests.servers.programs import ROOT

CASES = {"test_tasks": "TaskTestCase", "test_dummy_backend": "DummyBackendTestCase"}
DUMMY = '"django.tasks.backends.dummy.DummyBackend"'
#: Why the others do not pass.
ANOTHER_BACKEND = {
    "it asks whether the backend is Django's dummy": {
        "TaskTestCase.test_using_correct_backend",
        "TaskTestCase.test_get_backend",
        "DummyBackendTestCase.test_using_correct_backend",
    },
    "it looks into the list in which the dummy keeps all results": {
        "TaskTestCase.test_enqueue_task",
        "TaskTestCase.test_enqueue_task_async",
        "DummyBackendTestCase.test_enqueue_task",
        "DummyBackendTestCase.test_enqueue_task_async",
    },
    "it changes a result in that list and expects it to be changed": {
        "DummyBackendTestCase.test_refresh_result",
        "DummyBackendTestCase.test_refresh_result_async",
    },
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A folder with Django's package ``tasks`` of test cases, written for our backend."""
    named = os.environ.get("DJANGO_SOURCES", "")
    if not named or django.VERSION < (6, 0):
        pytest.skip("DJANGO_SOURCES names no source distribution of Django 6: its test cases are not here")
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, text in _sources(Path(named)):
        ours = text.replace(DUMMY, '"tests.tasks.conformance.backend.Backend"')
        # Ours asks a database for what is in the queue no more.
        ours = ours.replace("(SimpleTestCase):", '(SimpleTestCase):\n    databases = {"default"}')
        (folder / name).write_text(ours, encoding="utf-8")
    return tmp_path


def _sources(place: Path) -> list[tuple[str, str]]:
    if place.is_dir():
        return [(path.name, path.read_text("utf-8")) for path in (place / "tests" / "tasks").glob("*.py")]
    with tarfile.open(place) as archive:
        wanted = [m for m in archive if re.fullmatch(r"[^/]+/tests/tasks/\w+\.py", m.name)]
        return [(Path(m.name).name, archive.extractfile(m).read().decode()) for m in wanted]


def test_django_s_own_test_cases_pass_on_our_backend(cases: Path, figure):
    labels = [f"tasks.{module}.{case}" for module, case in CASES.items()]
    program = Program(
        [sys.executable, "-m", "tests.tasks.conformance", *labels],
        env={
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": "sqlite://:memory:",
            "PYTHONPATH": f"{cases}{os.pathsep}{ROOT}",
        },
        name="Django's test cases",
    )
    program.run(within_seconds=120)
    ended = json.loads(program.lines[-1])
    failed = {id.split(".", 2)[2]: how for id, how in ended.items() if how}
    passed = len(ended) - len(failed)
    figure(f"Django {django.__version__}: {passed} of {len(ended)} of its own test cases pass on our backend")
    assert len(ended) >= 50, program.tail()
    assert set(failed) == set().union(*ANOTHER_BACKEND.values()), failed
