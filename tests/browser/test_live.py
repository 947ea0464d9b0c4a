"""Pages of the admin that update while they are open."""

import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from queueing.exceptions import QueueExists
from queueing.messages import Timing
from queueing.monitoring.workers import beat as beat_once
from queueing.monitoring.workers import forget_worker, read_workers
from queueing.scheduling import store
from tests.support.redis_server import RedisServer

from .conftest import Visit
from .test_page import overflow

QUEUES = "/admin/queueing/queue/"
QUEUE = QUEUES + "testqueue/change/"
CHARTS = QUEUES + "charts/?range=day"
WORKERS = "/admin/queueing/worker/"
SCHEDULES = "/admin/queueing/schedule/"
READY = '[data-live="ready testqueue"]'
AGE = "[data-live-age]"
HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def beat(client: QueueClient, name: str, **more: object) -> None:
    record = {"host": "h", "pid": 1, "token": name, "processes": 1, "threads": 4, "queues": ["testqueue"]}
    beat_once(client.session, name, json.dumps(record | more), name)


@pytest.fixture
def queue(client: QueueClient) -> QueueClient:
    with suppress(QueueExists):  # the site creates it, too
        client.create_queue("testqueue")
    return client


@pytest.mark.parametrize("path", [QUEUES, QUEUE])
def test_figures_change_without_a_reload(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient, path: str
):
    page = visit.page()
    log_in(page)
    page.goto(path)
    page.evaluate("window.sameDocument = true")
    expect(page.locator(READY)).to_have_text("0")
    expect(page.locator(AGE)).to_contain_text("Live: data is")

    queue.send_messages("testqueue", ["a", "b", "c"])

    expect(page.locator(READY)).to_have_text("3")
    assert page.evaluate("window.sameDocument")


def test_a_hidden_tab_and_a_stopped_page_send_no_requests(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    page = visit.page()
    log_in(page)
    page.goto(QUEUES)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    page.evaluate(HIDE, True)
    queue.send_message("testqueue", "x")
    page.wait_for_timeout(4000)
    assert asked == []

    page.evaluate(HIDE, False)  # it sends a request as soon as it is visible again
    expect(page.locator(READY)).to_have_text("1")

    page.get_by_role("button", name="Pause updates").click()
    expect(page.locator(AGE)).to_contain_text("Paused")
    asked.clear()
    queue.send_message("testqueue", "x")
    page.wait_for_timeout(4000)
    assert asked == []

    page.get_by_role("button", name="Resume updates").click()
    expect(page.locator(READY)).to_have_text("2")


def test_a_page_is_complete_without_javascript(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    queue.send_message("testqueue", "x")
    beat(queue, "w1")
    page = visit.page(javascript=False)
    log_in(page)
    page.goto(QUEUES)
    expect(page.locator(READY)).to_have_text("1")
    expect(page.locator(AGE)).to_contain_text("Reload the page for newer figures")
    expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    page.goto(WORKERS)
    page.get_by_role("button", name="Quiet").click()
    expect(page.locator(".messagelist .success")).to_contain_text("The worker w1 becomes quiet")
    assert read_workers(queue.session)[0].is_quiet_wanted


def test_a_page_shows_that_redis_is_away_and_back_again(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient, redis_server: RedisServer
):
    beat(queue, "w1")
    page = visit.page()
    log_in(page)
    page.goto(WORKERS)
    button = page.get_by_role("button", name="Quiet")
    expect(button).to_be_enabled()

    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        expect(page.locator('[data-live="away"] [role=alert]')).to_contain_text("Redis does not answer")
        expect(page.locator(AGE)).to_contain_text("Trying again")
        expect(button).to_be_disabled()
        expect(page.locator('tr[data-key="w1"]')).to_be_visible()  # the last known figures
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    beat(queue, "w1")

    expect(page.locator('[data-live="away"]')).to_be_empty()
    expect(button).to_be_enabled()


def greyed(page: Page) -> dict[str, bool]:
    """The actions of a page: label -> whether it is disabled."""
    found = page.locator("[data-action], [data-live] button, .submit-row input").evaluate_all(
        "all => all.map(one => [one.value || one.textContent,"
        " one.disabled || one.ariaDisabled === 'true' && !one.hasAttribute('href')])"
    )
    return {" ".join(words.split()): bool(is_greyed) for words, is_greyed in found}


@pytest.mark.parametrize(("path", "action"), [(QUEUES, "pause testqueue"), (QUEUE, "pause"), (QUEUE, "Save")])
def test_actions_are_disabled_while_redis_is_away(
    visit: Visit,
    log_in: Callable[[Page], None],
    queue: QueueClient,
    redis_server: RedisServer,
    path: str,
    action: str,
):
    page = visit.page()
    log_in(page)
    page.goto(path)
    before = greyed(page)
    assert before[action] is False

    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        expect(page.locator('[data-live="away"] [role=alert]')).to_contain_text("Redis does not answer")
        assert set(greyed(page).values()) == {True}
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)

    expect(page.locator('[data-live="away"]')).to_be_empty()
    assert greyed(page) == before


def test_a_page_shows_that_the_database_is_away_and_back_again(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient, database: Path
):
    page = visit.page()
    log_in(page)
    page.goto(QUEUES)
    before = greyed(page)

    aside = database.rename(database.with_suffix(".aside"))
    database.mkdir()  # SQLite cannot open this
    try:
        expect(page.locator('[data-live="away"] [role=alert]')).to_contain_text("The database does not")
        expect(page.locator(READY)).to_have_text("0")  # the last known figures
        assert set(greyed(page).values()) == {True}
    finally:
        database.rmdir()
        aside.rename(database)

    expect(page.locator('[data-live="away"]')).to_be_empty()
    assert greyed(page) == before
    assert visit.troubles
    visit.troubles[:] = [trouble for trouble in visit.troubles if "503" not in trouble]


def test_the_focus_stays_with_its_worker_when_other_workers_come_and_leave(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    for name in ("b", "c"):
        beat(queue, name)
    page = visit.page()
    log_in(page)
    page.goto(WORKERS)
    page.locator('tr[data-key="c"] button').focus()

    beat(queue, "a")
    forget_worker(queue.session, "b")

    expect(page.locator('tr[data-key="a"]')).to_be_visible()
    expect(page.locator('tr[data-key="b"]')).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('tr').dataset.key") == "c"
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_contain_text("The worker c becomes quiet")


def test_times_are_in_the_zone_and_language_of_the_browser(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    queue.redis.hset(
        queue.keys.attributes("testqueue"), mapping={"created": 981_173_106, "modified": 981_173_106}
    )
    page = visit.page(time_zone="Asia/Kathmandu", locale="de-DE")
    log_in(page)
    page.goto(QUEUE)
    created = page.locator("time").first
    expect(created).to_have_text("03.02.2001, 09:50")
    expect(created).to_have_attribute("datetime", "2001-02-03T04:05:06+00:00")
    expect(created).to_have_attribute("title", re.compile(r"09:50:06 GMT\+5:45$"))


def test_times_that_a_refresh_brings_are_in_the_browsers_zone(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    page = visit.page(time_zone="Asia/Kathmandu")
    log_in(page)
    page.goto(SCHEDULES)
    timing = Timing("tests.late", expression="0 3 * * *", time_zone="UTC", queue="testqueue", missed="once")
    store.name_schedules(queue.session, [timing])
    row = page.locator('tr[data-key="tests.late"]')
    expect(row.locator("time")).to_have_attribute("title", re.compile(r"GMT\+5:45$"))


def test_times_are_those_of_the_server_without_javascript(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    queue.redis.hset(
        queue.keys.attributes("testqueue"), mapping={"created": 981_173_106, "modified": 981_173_106}
    )
    page = visit.page(time_zone="Asia/Kathmandu", javascript=False)
    log_in(page)
    page.goto(QUEUE)
    expect(page.locator("time").first).to_have_text("2001-02-03 04:05")
    expect(page.locator("time").first).to_have_attribute("title", "2001-02-03 04:05:06 UTC")


def test_charts_can_be_read_and_opened_as_a_table(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    now_ms = queue.now_ms()
    key, span = queue.keys.metrics("testqueue"), now_ms // 1_200_000 - 3
    sums = json.dumps({"done": 120, "dead": 3, "r5": 123, "max_ready": 40})
    queue.redis.hset(key, mapping={f"t{span}": sums, "since": now_ms - 86_400_000})
    page = visit.page()
    log_in(page)
    page.goto(CHARTS)
    chart = page.get_by_role("img", name="Throughput and failures")
    expect(chart).to_be_visible()
    assert chart.bounding_box()["width"] > 300
    bar = page.locator(".bar.series-done").first
    assert bar.bounding_box()["height"] > 100
    assert bar.evaluate("element => getComputedStyle(element).fill") == "rgb(43, 125, 60)"
    page.locator("summary", has_text="As a table").first.click()
    expect(page.locator("figure").first.locator("tbody")).to_contain_text("120")


def test_no_live_page_is_wider_than_the_window(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    run = {"id": "W" * 60, "queue": "testqueue", "started_ms": 1}
    child = {"name": "W" * 60, "pid": 1, "running": [run]}
    beat(queue, "W" * 120, host="W" * 120, version="W" * 60, queues=["W" * 80], children=[child])
    too_wide = []
    for width in (390, 1280):
        page = visit.page(width=width)
        log_in(page)
        for path in (QUEUES, QUEUE, CHARTS, WORKERS, SCHEDULES):
            page.goto(path)
            too_wide += [(width, path, overflow(page))] if overflow(page) > 0 else []
    assert not too_wide
