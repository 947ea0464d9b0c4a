"""Open pages of the history show that there are new jobs, and follow a job to its end."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from queueing.client import QueueClient

from .conftest import Visit

LIST = "/admin/queueing/job/"
AGE = "[data-live-age]"
NEWS = '[data-live="news"]'


def record(database: Path, message_id: str, state: str) -> None:
    """Write the outcome of a message into the history, as a worker does."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            """INSERT INTO queueing_job
            (queue, message_id, handler, state, rc, attempts, crashes, finished_at, worker, body,
            body_is_whole, error, result) VALUES ('testqueue', ?, 'h', ?, 1, 1, 0, ?, 'w', 'x', 1, '', '')
            ON CONFLICT (queue, message_id) DO UPDATE SET state = excluded.state, finished_at = ?""",
            (message_id, state, at, at),
        )


def test_the_list_announces_new_jobs_and_keeps_its_rows(
    visit: Visit, log_in: Callable[[Page], None], database: Path
):
    record(database, "a" * 32, "done")
    page = visit.page()
    log_in(page)
    page.goto(LIST)
    expect(page.locator(AGE)).to_contain_text("Updated")
    page.check("#result_list tbody input")

    record(database, "b" * 32, "done")

    expect(page.locator(NEWS)).to_contain_text("1 new job was processed.")
    expect(page.locator("#result_list tbody input")).to_be_checked()
    page.get_by_role("link", name="Reload").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.locator(NEWS)).to_be_empty()


def test_a_job_is_followed_to_its_end_and_no_longer(
    visit: Visit, log_in: Callable[[Page], None], database: Path, client: QueueClient
):
    id = client.send_message("testqueue", "x", delay=600)
    record(database, id, "retrying")
    page = visit.page()
    log_in(page)
    page.goto(LIST)
    page.click("#result_list tbody th a")
    expect(page.locator('[data-live="now"]')).to_contain_text("State of the message in its queue")
    expect(page.locator(".object-tools >> text=Cancel")).to_be_visible()

    client.delete_message("testqueue", id)
    record(database, id, "done")

    expect(page.locator('[data-live="job"] .queueing-state')).to_have_text("done")
    expect(page.locator('[data-live="now"]')).to_contain_text("The message has left its queue.")
    expect(page.locator(".object-tools >> text=Cancel")).to_have_count(0)
    expect(page.locator(AGE)).to_contain_text("The job has ended")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4000)
    assert asked == []
