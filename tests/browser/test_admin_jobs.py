"""Processed jobs in a browser: search, confirmation and rerun, with and without JavaScript, and on a
phone.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from queueing.exceptions import QueueExists

from .conftest import Visit
from .test_page import overflow

LIST = "/admin/queueing/job/"
COUNT = 260


@pytest.fixture
def history(database: Path, client: QueueClient) -> None:
    """Jobs that failed with two errors. The newest one has texts of maximal width."""
    with suppress(QueueExists):  # the site may have been faster
        client.create_queue("testqueue")
    connection = sqlite3.connect(database)
    now = datetime.now(UTC)
    for number in range(COUNT):
        at = (now - timedelta(seconds=COUNT - number)).strftime("%Y-%m-%d %H:%M:%S.%f")
        error, long = ("KeyError", "W" * 200) if number == COUNT - 1 else ("ValueError", "short")
        row = {
            "queue": "testqueue",
            "message_id": f"hofnoo4h3u{number:022}",
            "handler": f"shop.handlers.{long}",
            "state": "dead",
            "rc": 1,
            "attempts": 1,
            "crashes": 0,
            "finished_at": at,
            "worker": "host:1",
            "body": f'{{"number": {number}, "password": "geheim", "text": "<b>{long}</b>"}}',
            "body_is_whole": True,
            "error": f"{error}: {long}",
            "exception": error,
            "result": "",
        }
        insert(connection, "queueing_job", row)
        copied = {
            name: row[name] for name in ("rc", "handler", "finished_at", "worker", "error", "exception")
        }
        attempt = {**copied, "job_id": number + 1, "outcome": "dead", "traceback": f"Traceback\n  {long}"}
        insert(connection, "queueing_attempt", attempt)
    connection.commit()
    connection.close()


def insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def test_a_job_is_found_shown_and_run_again(page: Page, history: None, client: QueueClient):
    page.goto(LIST)
    page.fill("#searchbar", '"number": 123,')
    page.press("#searchbar", "Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator(".queueing-searched")).to_contain_text("Searched")
    page.click("#result_list tbody a")
    expect(page.locator("#content")).to_contain_text("[redacted]")
    expect(page.locator("#content")).to_contain_text("<b>short</b>")
    expect(page.locator("#content")).not_to_contain_text("geheim")
    expect(page.locator("details pre")).to_be_visible()
    page.click(".object-tools >> text=Run again")
    expect(page.locator("#content")).to_contain_text("Run 1 job again?")
    page.click("#content [type=submit]")
    [message] = client.peek_messages("testqueue")
    expect(page.locator(".messagelist .success")).to_contain_text(message.id)
    assert "geheim" in message.body


def test_selected_jobs_are_run_again(page: Page, history: None, client: QueueClient):
    page.goto(LIST)
    for row in (0, 2):
        page.locator("#result_list tbody .action-select").nth(row).check()
    page.select_option("select[name=action]", "rerun")
    page.click("button[name=index]")
    expect(page.locator("#content")).to_contain_text("Run 2 jobs again?")
    page.click("#content [type=submit]")
    expect(page.locator(".messagelist .success")).to_contain_text("2 jobs were sent again.")
    assert len(client.peek_messages("testqueue")) == 2


def test_all_jobs_of_a_failure_are_run_again(page: Page, history: None, client: QueueClient):
    page.goto(LIST)
    page.click(".object-tools >> text=Failures")
    row = page.locator(".queueing-failures tbody tr", has_text="ValueError")
    expect(row.locator("td.number")).to_have_text(str(COUNT - 1))
    row.locator("text=Jobs with this error now").click()
    expect(page.locator(".queueing-whole")).to_contain_text(f"All {COUNT - 1} jobs of this list")
    page.click(".queueing-whole >> text=Run again")
    expect(page.locator("#content")).to_contain_text(f"Run {COUNT - 1} jobs again?")
    page.click("#content [type=submit]")
    expect(page.locator(".messagelist .success")).to_contain_text(f"{COUNT - 1} jobs were sent again.")
    assert client.get_queue_attributes("testqueue").msgs == COUNT - 1


def test_the_list_of_jobs_has_pages_and_a_custom_time_range(
    visit: Visit, log_in: Callable[[Page], None], history: None
):
    page = visit.page()
    log_in(page)
    page.goto(LIST)
    first = page.locator("#result_list tbody .field-shown_id a").first.inner_text()
    page.click("a[rel=next]")
    expect(page.locator("#result_list tbody tr")).to_have_count(50)
    assert page.locator("#result_list tbody .field-shown_id a").first.inner_text() != first
    page.fill("[name=since]", "2001-01-01T00:00")
    page.fill("[name=until]", "2001-01-02T00:00")
    page.click(".queueing-range button")
    expect(page.locator(".queueing-none")).to_contain_text("No job matches these filters.")


def test_no_page_of_the_jobs_is_wider_than_the_window(
    visit: Visit, log_in: Callable[[Page], None], history: None
):
    paths = ("", f"{COUNT}/change/", "failures/", "all/cancel/", "?q=nowhere")
    too_wide, unnamed = [], []
    for width in (390, 1280):
        page = visit.page(width=width, dark=width == 390)
        log_in(page)
        for path in paths:
            page.goto(LIST + path)
            too_wide += [(width, path, overflow(page))] if overflow(page) > 0 else []
            unnamed += [(path, name) for name in page.evaluate(UNNAMED)]
    assert not too_wide
    assert not unnamed


#: Inputs and buttons without a name for screen readers.
UNNAMED = """
[...document.querySelectorAll("#content input:not([type=hidden]), #content select, #content button")]
    .filter(e => !(e.labels && e.labels.length) && !e.ariaLabel && !e.textContent.trim() && !e.value)
    .map(e => e.outerHTML.slice(0, 120))
"""
