"""The jobs' pages while the database is away: a page that explains it, soon, and without a traceback."""

import socket
import sys
import time
from contextlib import ExitStack, suppress

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import OperationalError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory

from queueing.admin.base import guard
from queueing.models import Job
from queueing.resilience.circuit_breaker import OPEN_SECONDS
from tests.support.postgres_server import PostgresServer
from tests.support.program import Program
from tests.support.stalls import Stalls
from tests.support.threads import Threads
from tests.support.web_process import Answer, Visitor, WebProcess
from tests.support.worker_process import MANAGE, site_environment

from .jobs import LIST

PAGES = (
    "/admin/queueing/queue/",
    LIST,
    f"{LIST}1/change/",
    f"{LIST}failures/",
    f"{LIST}export/",
    f"{LIST}all/rerun/",
)


#: The models of this package that have pages in the admin.
SHOWN = [model for model in apps.get_app_config("queueing").get_models() if admin.site.is_registered(model)]


def test_there_are_pages_to_guard() -> None:
    wanted = {"Batch", "Job", "Queue", "Schedule", "StagedMessage", "Worker"}
    assert {model.__name__ for model in SHOWN} == wanted


@pytest.mark.parametrize("model", SHOWN)
def test_every_page_is_guarded(model: type[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = admin.site._registry[model].urls
    assert len(patterns) >= 6
    # Every page asks it first of all who is there, of a user that is read from the database.
    monkeypatch.setattr(admin.site, "has_permission", _away)
    for pattern in patterns:
        assert pattern.callback(RequestFactory().get("/")).status_code == 503, pattern


def _away(request: HttpRequest) -> bool:
    raise OperationalError("could not connect to server")


def test_an_error_while_a_page_is_rendered_is_caught_too() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, "admin/base_site.html", {"title": Failing()})

    answer = guard(view, admin.site.get_model_admin(Job))(RequestFactory().get("/"))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    assert "The database does not answer" in answer.content.decode()


class Failing:
    def __str__(self) -> str:
        raise OperationalError("could not connect to server at secret-host")


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_after_an_action_the_page_asks_to_check_its_effect(method: str) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise OperationalError("database is locked")

    request = getattr(RequestFactory(), method)("/")
    answer = guard(view, admin.site.get_model_admin(Job))(request)
    assert ("whether the action was done" in answer.content.decode()) is (method == "post")


def test_a_missing_table_is_not_an_absent_database() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise OperationalError("no such table: queueing_job")

    with pytest.raises(OperationalError):
        guard(view, admin.site.get_model_admin(Job))(RequestFactory().get("/"))


@pytest.mark.django_db
def test_with_a_database_nothing_is_different(boss: Client) -> None:
    assert boss.get(LIST).status_code == 200
    assert Client().get(LIST).status_code == 302


def opened(web: WebProcess, path: str) -> Answer:
    """The page for a visitor whose session has to be looked up."""
    visitor = Visitor(web.port)
    visitor.cookies["sessionid"] = "x" * 32
    return visitor.get(path)


def timed(stalls: Stalls, web: WebProcess, path: str) -> tuple[float, Answer]:
    """How long such a page takes, without the time for which the machine stood still, and the page."""
    began = time.time()
    answer = opened(web, path)
    return stalls.awake(began, time.time()), answer


def test_a_postgresql_that_is_gone_is_said_within_two_seconds(collected_static: None, stalls: Stalls) -> None:
    redis_url = "redis://127.0.0.1:1/0"
    with PostgresServer() as postgres:
        migrate = Program(
            [sys.executable, MANAGE, "migrate", "--verbosity", "0"],
            env=site_environment(redis_url, postgres.url),
            name="migrate",
        )
        assert migrate.run() == 0, migrate.tail()
        with WebProcess(redis_url=redis_url, database_url=postgres.url) as web:
            assert Visitor(web.port).get(LIST).status == 302
            usual = {path: timed(stalls, web, path)[0] for path in PAGES}
            postgres.kill()
            for path in PAGES:
                took, answer = timed(stalls, web, path)
                assert took - usual[path] < 2
                assert answer.status == 503, path
                assert "The database does not answer" in answer.text
                assert "postgres" not in answer.text.lower()
                assert "Traceback" not in answer.text
            postgres.restart()
            assert Visitor(web.port).get(LIST).status == 302


def test_a_request_that_has_waited_for_a_hanging_database_spares_the_others(collected_static: None) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:  # connects, and never says a word
        url = f"postgres://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres"
        with WebProcess(redis_url="redis://127.0.0.1:1/0", database_url=url) as web:
            began = time.monotonic()
            assert opened(web, LIST).status == 503  # the driver takes 2 s at least
            with Threads(20) as crowd:
                answers = list(crowd.map(lambda path: opened(web, path), ["/", LIST] * 20))
            seconds = time.monotonic() - began
            tries = accepted(silent)
    assert {answer.status for answer in answers} == {200, 503}
    assert 1 <= tries <= 1 + seconds / OPEN_SECONDS, "one of them tries at a time"


def accepted(server: socket.socket) -> int:
    """How many have connected to a server that accepts none."""
    server.setblocking(False)
    found: list[socket.socket] = []
    with ExitStack() as stack, suppress(BlockingIOError):
        while True:
            found.append(stack.enter_context(server.accept()[0]))
    return len(found)
