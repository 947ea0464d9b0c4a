"""Every page while Redis accepts connections and answers nothing, for one visitor and for many."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from queueing.client import QueueClient
from queueing.exceptions import QueueExists
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.stalls import Stalls
from tests.support.threads import Threads
from tests.support.web_process import Answer, Visitor, WebProcess
from tests.support.worker_process import MANAGE, site_environment

PASSWORD = "only-for-this-test"
CONSOLE = "/admin/queueing/"
PAGES = (
    *("/", "/state", f"{CONSOLE}queue/", f"{CONSOLE}queue/testqueue/change/", f"{CONSOLE}queue/charts/"),
    *(f"{CONSOLE}queue/live/", f"{CONSOLE}worker/", f"{CONSOLE}worker/live/", f"{CONSOLE}schedule/"),
    *(f"{CONSOLE}queue/testqueue/messages/", f"{CONSOLE}queue/testqueue/purge/", f"{CONSOLE}job/"),
)


@pytest.fixture
def web(redis_server: RedisServer, database: Path, collected_static: None) -> Iterator[WebProcess]:
    url = f"sqlite:///{database}"
    with WebProcess(redis_url=redis_server.url, database_url=url) as web:
        yield web


@pytest.fixture
def boss(web: WebProcess, redis_server: RedisServer, database: Path) -> Visitor:
    settings = site_environment(redis_server.url, f"sqlite:///{database}")
    made = Program(
        [sys.executable, MANAGE, "createsuperuser", "--noinput", "--username=boss", "--email=a@b.invalid"],
        env={**settings, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        name="createsuperuser",
    )
    assert made.run() == 0, made.tail()
    visitor = Visitor(web.port)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', visitor.get("/admin/login/").text)
    form = {"username": "boss", "password": PASSWORD, "csrfmiddlewaretoken": token[1] if token else ""}
    assert visitor.post("/admin/login/", form).status == 302
    return visitor


@pytest.fixture
def stop_redis(client: QueueClient, redis_server: RedisServer, boss: Visitor) -> Iterator[Callable[[], None]]:
    """Stops Redis just after the site has requested data for each page."""
    with suppress(QueueExists):  # the site creates it, too
        client.create_queue("testqueue")
    for path in PAGES:
        assert boss.get(path).status == 200, path

    def stop() -> None:
        os.kill(redis_server.pid, signal.SIGSTOP)
        time.sleep(1.1)  # shared data of a page is valid for a second

    yield stop
    os.kill(redis_server.pid, signal.SIGCONT)


def timed(stalls: Stalls, ask: Callable[[], Answer]) -> tuple[float, Answer]:
    """The answer and the seconds that it took, without those for which the machine stood still."""
    began = time.time()
    answer = ask()
    return stalls.awake(began, time.time()), answer


def soon(stalls: Stalls, visitor: Visitor, path: str, usual: float) -> tuple[float, Answer]:
    """Ask for a page up to five times: on a busy machine any page may wait for its turn."""
    for _ in range(5):
        took, answer = timed(stalls, partial(visitor.get, path))
        if took - usual < 1:
            break
        time.sleep(1.1)  # the page forgets that Redis did not answer
    return took, answer


def test_each_page_loads_soon_and_shows_that_redis_does_not_answer(
    stop_redis: Callable[[], None], boss: Visitor, stalls: Stalls, figure
):
    took, usual = {}, {path: timed(stalls, partial(boss.get, path))[0] for path in PAGES}
    stop_redis()
    for path in PAGES:
        took[path], answer = soon(stalls, boss, path, usual[path])
        assert answer.status == 200
        # Data of charts is valid a little longer, and the list of jobs is not in Redis.
        assert "Redis does not answer" in answer.text or "charts" in path or "/job/" in path, path
    figure(f"Redis hangs, one page after the other: {max(took.values()):.2f} s at the most")
    assert max(took[path] - usual[path] for path in PAGES) < 1, (took, usual)


def test_many_concurrent_visitors_wait_less_than_two_seconds(
    stop_redis: Callable[[], None], boss: Visitor, stalls: Stalls, figure
):
    def slowest() -> float:
        asked = [path for _ in range(4) for path in PAGES]
        with Threads(20) as crowd:
            answers = list(crowd.map(lambda path: timed(stalls, partial(boss.get, path)), asked))
        assert {answer.status for _, answer in answers} == {200}
        return max(seconds for seconds, _ in answers)

    usual = slowest()
    stop_redis()
    hanging = slowest()
    figure(f"20 visitors at a time: {usual:.2f} s at the most, {hanging:.2f} s while Redis hangs")
    assert hanging - usual < 2


def test_a_press_of_the_button_takes_less_than_two_seconds(
    stop_redis: Callable[[], None], boss: Visitor, stalls: Stalls
):
    usual, _ = timed(stalls, boss.press)
    stop_redis()
    took, answer = timed(stalls, boss.press)
    assert answer.status == 503
    assert "probably not sent" in answer.text
    assert took - usual < 2
