"""Programs that stop without their variables, their messages, and programs that need no variables."""

import sys
from pathlib import Path

import pytest

from mqsite import startup

from .project_copy import copy_project, run

PRODUCTION = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghi",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DATABASE_URL": "sqlite://:memory:",
}
WEB = ("-m", "gunicorn", "--config", "python:mqsite.gunicorn", "mqsite.wsgi")
WORKER = ("manage.py", "runworker")


@pytest.mark.parametrize("start", [WEB, WORKER, ("manage.py", "queues", "list"), ("manage.py", "shell")])
def test_each_missing_variable_gives_one_sentence(project: Path, start: tuple[str, ...]):
    done = run(project, *start, PORT="0")
    sentences = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert done.returncode != 0
    assert [line.split()[0] for line in sentences] == ["SECRET_KEY", "REDIS_URL", "DATABASE_URL"]
    assert all("is not set" in line and "`make run`" in line for line in sentences)


@pytest.mark.parametrize("missing", sorted(PRODUCTION))
def test_only_missing_variables_are_named(project: Path, missing: str):
    variables = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = run(project, *WORKER, **variables)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{missing} is not set: it has to be ")


@pytest.mark.parametrize("module", ["mqsite.wsgi", "mqsite.asgi"])
def test_another_web_server_stops_too_with_the_status_against_restarts(project: Path, module: str):
    done = run(project, "-c", f"import {module}")
    assert done.returncode == startup.DO_NOT_RESTART
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_migrate_needs_only_the_database(project: Path, tmp_path: Path):
    done = run(project, "manage.py", "migrate")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("DATABASE_URL is not set")
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    done = run(project, "manage.py", "migrate", "--verbosity", "0", DATABASE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        ("collectstatic", "--noinput", "--verbosity", "0"),
        ("check",),
        ("makemigrations", "--check", "--dry-run"),
        ("help",),
        ("runworker", "--help"),
    ],
)
def test_builds_need_no_variable(project: Path, command: tuple[str, ...]):
    done = run(project, "manage.py", *command)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_static_files_are_hashed_and_compressed(project: Path):
    assert run(project, "manage.py", "collectstatic", "--noinput").returncode == 0
    css = list((project / "staticfiles/admin/css").glob("base.*.css*"))
    assert {path.suffix for path in css} >= {".css", ".gz"}


@pytest.mark.parametrize("variables", [{"DYNO": "web.1"}, {"TRUST_PROXY": "1", "ALLOWED_HOSTS": "a.example"}])
def test_the_deployment_check_finds_nothing(project: Path, variables: dict[str, str]):
    check = ("manage.py", "check", "--deploy", "--fail-level", "INFO")
    done = run(project, *check, **PRODUCTION, **variables)
    assert done.returncode == 0, done.stderr
    assert "no issues (2 silenced)" in done.stdout


def test_manage_uses_the_variables_of_make_run_if_there_is_no_secret_key(tmp_path: Path):
    project = copy_project(tmp_path)
    (project / "var").mkdir()
    lines = ["# a comment", "DEBUG=1", "SECRET_KEY=a=b", "REDIS_URL=redis://127.0.0.1:1/7"]
    (project / "var/dev.env").write_text("\n".join(lines))
    show = "from django.conf import settings as s; print(s.DEBUG, s.SECRET_KEY, s.QUEUEING['URL'])"
    command = ("manage.py", "shell", "--verbosity", "0", "-c", show)
    assert run(project, *command).stdout.strip() == "True a=b redis://127.0.0.1:1/7"
    own = run(project, *command, REDIS_URL="redis://mine").stdout.strip()
    assert own == "True a=b redis://mine", "what the shell says goes before"
    production = run(project, *command, **PRODUCTION).stdout.strip()
    assert production == f"False {PRODUCTION['SECRET_KEY']} {PRODUCTION['REDIS_URL']}"


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("manage.py", set()),
        ("manage.py collectstatic --noinput", set()),
        ("manage.py migrate", {"DATABASE_URL"}),
        ("manage.py migrate --help", set()),
        ("manage.py runworker a b", None),
        ("manage.py of_another_app", None),
    ],
)
def test_an_unknown_command_needs_all_variables(line: str, needed: set[str] | None):
    assert startup.needed_by(line.split()) == needed


def test_the_first_admin_is_created_once(project: Path, tmp_path: Path):
    variables = PRODUCTION | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DJANGO_SUPERUSER_USERNAME": "boss",
        "DJANGO_SUPERUSER_PASSWORD": "made-up-for-this-app",
        "DJANGO_SUPERUSER_EMAIL": "boss@example.com",
    }
    run(project, "manage.py", "migrate", "--verbosity", "0", **variables)
    said = [run(project, "-m", "mqsite.first_admin", **variables) for _ in range(2)]
    assert [done.returncode for done in said] == [0, 0], said
    assert "created" in said[0].stdout
    assert "already" in said[1].stdout
    nowhere = run(project, "-m", "mqsite.first_admin")
    assert (nowhere.returncode, len(nowhere.stderr.splitlines())) == (1, 1)
    who = "get_user_model().objects.get(username='boss')"
    show = (
        f"from django.contrib.auth import get_user_model; print({who}.check_password('made-up-for-this-app'))"
    )
    assert "True" in run(project, "manage.py", "shell", "-c", show, **variables).stdout


def test_child_processes_use_the_python_of_the_tests(project: Path):
    assert run(project, "-c", "import sys; print(sys.version)").stdout.strip() == sys.version
