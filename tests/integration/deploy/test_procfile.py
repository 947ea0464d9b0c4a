"""The Procfile as a platform runs it: TLS Redis with a self-signed certificate, a real PostgreSQL."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.programs import ROOT
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually, free_port
from tests.support.web_process import Visitor, procfile
from tests.support.worker_process import site_environment

#: Headers that Heroku's router adds to each request.
ROUTED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "Host": "mqsite.example.com",
}

OTHERS_CONNECTED = """SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def dyno(own_redis: Callable[..., RedisServer], postgres: PostgresServer) -> dict[str, str | None]:
    """The environment of a dyno with both add-ons and without other variables."""
    here = str(Path(sys.executable).parent)
    return {
        **site_environment(own_redis(tls=True).url, postgres.url),
        "DYNO": "web.1",
        "ALLOWED_HOSTS": None,
        "DJANGO_SETTINGS_MODULE": None,
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
    }


def shell(name: str, command: str, env: dict[str, str | None]) -> Program:
    return Program(["sh", "-c", f"exec {command}"], env=env, name=name)


def test_release_web_and_worker_run_over_tls_and_on_postgresql(
    dyno: dict[str, str | None],
    postgres: PostgresServer,
    collected_static: None,
    tmp_path: Path,
    figure: Callable[[str], None],
):
    release = shell("release", procfile()["release"], dyno)
    assert release.run() == 0, release.tail()
    assert postgres.query("SELECT count(*) FROM queueing_job") == [(0,)]

    port = free_port()
    # Debian's sh stays between honcho and the program; a dyno's shell does not.
    lines = (f"{name}: exec {command}\n" for name, command in procfile().items())
    (tmp_path / "Procfile").write_text("".join(lines))
    honcho = f"{sys.executable} -m honcho -f {tmp_path}/Procfile -d {ROOT} start --port {port} web worker"
    both = shell("honcho", honcho, dyno)
    with both:
        eventually(lambda: Visitor(port).get("/healthz").status == 200, of=both)
        assert Visitor(port).get("/").status == 301, "without TLS one is sent there"
        visitor = Visitor(port, ROUTED)
        answer = visitor.press()
        assert answer.status == 202, (answer, both.tail())
        message_id = answer.json()["id"]
        row = f"SELECT state, body FROM queueing_job WHERE message_id = '{message_id}'"
        [(state, body)] = eventually(lambda: postgres.query(row), of=both)
        assert state == "done"
        assert str(body).startswith("Hello World at ")
        assert visitor.get("/readyz").json()["ready"] is True

        idle = eventually(lambda: [row for row in postgres.query(OTHERS_CONNECTED) if row[0] <= 1], of=both)
        figure(f"web and worker, idle: {idle[0][0]} PostgreSQL connections")
        both.terminate()
        both.wait()
    assert "web.1 stopped (rc=0)" in plain(both), both.tail()
    assert "worker.1 stopped (rc=0)" in plain(both), both.tail()
    assert "Traceback" not in both.output


def plain(program: Program) -> str:
    """Its output without honcho's columns and colours."""
    return " ".join(program.output.split())


def test_a_one_click_deployment_has_a_first_admin(dyno: dict[str, str | None], postgres: PostgresServer):
    release = shell("release", procfile()["release"], dyno)
    assert release.run() == 0, release.tail()
    account = {
        "DJANGO_SUPERUSER_USERNAME": "admin",
        "DJANGO_SUPERUSER_PASSWORD": "made-up-by-the-platform",
        "DJANGO_SUPERUSER_EMAIL": "admin@example.com",
    }
    for _ in range(2):
        made = shell("postdeploy", f"{sys.executable} -m mqsite.first_admin", {**dyno, **account})
        assert made.run() == 0, made.tail()
    assert postgres.query("SELECT username, is_superuser FROM auth_user") == [("admin", True)]
