"""The output of a worker in a project with Django's default LOGGING, and in one with its own."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.worker_process import WorkerProcess

from .app import tasks

pytestmark = pytest.mark.usefixtures("workers_database")
CONSOLE = {"class": "logging.StreamHandler", "formatter": "own"}
FORMATTERS = {"own": {"format": "OWN %(levelname)s %(name)s %(message)s"}}
TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def run(task_worker: Callable[..., WorkerProcess]) -> Callable[..., WorkerProcess]:
    """Runs a task that succeeds and one that fails for good, and returns the worker that did."""

    def start(*options: str, is_debug: bool = False, logging: dict[str, Any] | None = None) -> WorkerProcess:
        tasks.add.enqueue(1, b=2)
        tasks.fail_async.enqueue("told once")
        own = {"version": 1, "disable_existing_loggers": False, "formatters": FORMATTERS, **(logging or {})}
        env = {
            "DJANGO_SETTINGS_MODULE": "tests.unit.tasks.plain_logging",
            "TEST_DEBUG": "1" if is_debug else "0",
            "TEST_LOGGING": json.dumps(own if logging else {}),
        }
        with task_worker("--burst", *options, **env) as process:
            assert process.wait(within_seconds=60) == 0, process.tail()
        return process

    return start


@pytest.mark.parametrize("is_debug", [False, True], ids=["production", "debug"])
def test_by_default_it_prints_its_start_its_queues_and_each_failure_once(
    run: Callable[..., WorkerProcess], is_debug: bool
) -> None:
    process = run(is_debug=is_debug)

    start, *_ = [line for line in process.lines if " INFO queueing.worker: worker " in line]
    assert "default" in start
    assert "mails" in start
    # A run that was slow has a line of its own.
    assert re.search(r" (1 done|done) in ", process.output)
    assert "dead after 1 attempt: ValueError: told once" in process.output
    assert process.output.count(TRACEBACK) == 1


@pytest.mark.parametrize("is_debug", [False, True], ids=["production", "debug"])
def test_by_default_each_job_is_logged_where_that_is_asked_for(
    run: Callable[..., WorkerProcess], is_debug: bool
) -> None:
    process = run("--log-jobs", "--log-format", "json", is_debug=is_debug)

    lines = [json.loads(line) for line in process.lines]
    assert sorted(line["state"] for line in lines if "state" in line) == ["dead", "done"]
    assert sum("told once" in line.get("exception", "") for line in lines) == 1


def test_a_log_of_the_project_with_handlers_wins(run: Callable[..., WorkerProcess]) -> None:
    process = run(logging={"handlers": {"c": CONSOLE}, "root": {"handlers": ["c"], "level": "INFO"}})

    said = [line for line in process.lines if "queueing.worker" in line]
    assert said
    assert all(line.startswith("OWN ") for line in said)
    assert process.output.count(TRACEBACK) == 1


def test_a_level_of_the_project_wins(run: Callable[..., WorkerProcess]) -> None:
    process = run(logging={"loggers": {"queueing": {"level": "WARNING"}}})

    assert "dead after" in process.output
    assert "INFO" not in process.output


def test_a_log_of_the_project_that_goes_elsewhere_leaves_the_terminal_empty(
    run: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    file = {"class": "logging.FileHandler", "filename": str(tmp_path / "log"), "formatter": "own"}

    process = run(logging={"handlers": {"f": file}, "root": {"handlers": ["f"], "level": "INFO"}})

    assert process.output == ""
    assert "told once" in (tmp_path / "log").read_text()


def test_djangos_log_of_tasks_stays_if_the_project_wants_it(run: Callable[..., WorkerProcess]) -> None:
    to_console = {"handlers": ["c"], "level": "ERROR"}
    loggers = {"django.tasks": to_console, "django_tasks": to_console}

    process = run(logging={"handlers": {"c": CONSOLE}, "loggers": loggers})

    assert "OWN ERROR django" in process.output
