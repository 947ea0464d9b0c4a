"""Django's own test cases for its task backends pass on ours, but for those that ask for another one.

They are in the source distribution of Django 6, not in what pip installs. ``DJANGO_SOURCES`` names it, packed
or unpacked. On Django 5.2 they are run against the backport, with its names.
"""

import json
import os
import re
import sys
import tarfile
from pathlib import Path

import django
import pytest

from tests.support.program import Program
from tests.support.programs import ROOT, absent

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
#: Why more do not pass on Django 5.2: there the backport itself is asked, which is not the same.
BACKPORT = {
    "it words this otherwise": {
        "TaskTestCase.test_run_after_in_decorator",
        "DummyBackendTestCase.test_validate_disallowed_async_task",
    },
    "its tasks cannot be pickled": {
        "TaskTestCase.test_pickle_task",
        "TaskTestCase.test_pickle_task_result",
        "TaskTestCase.test_unpickle_arbitrary_string",
        "TaskTestCase.test_unpickle_non_task_object",
    },
}
IS_BACKPORT = django.VERSION < (6, 0)
#: Names that differ in the backport.
BACKPORT_NAMES = {
    r"django\.tasks": "django_tasks",
    r"\bInvalidTask\b": "InvalidTaskError",
    r"\bInvalidTaskBackend\b": "InvalidTaskBackendError",
}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A folder with Django's package ``tasks`` of test cases, written for our backend."""
    named = os.environ.get("DJANGO_SOURCES", "")
    if not named:
        absent(
            "Django's own test cases are missing: pip download --no-deps --no-binary :all: 'django<6.2', "
            "and let DJANGO_SOURCES name the file"
        )
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, text in _sources(Path(named)):
        ours = text.replace(DUMMY, '"tests.unit.tasks.conformance.backend.Backend"')
        # Ours asks a database for what is in the queue no more.
        ours = ours.replace("(SimpleTestCase):", '(SimpleTestCase):\n    databases = {"default"}')
        for pattern, other in BACKPORT_NAMES.items() if IS_BACKPORT else ():
            ours = re.sub(pattern, other, ours)
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
        [sys.executable, "-m", "tests.unit.tasks.conformance", *labels],
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
    expected = [*ANOTHER_BACKEND.values(), *(BACKPORT.values() if IS_BACKPORT else ())]
    assert set(failed) == set().union(*expected), failed
