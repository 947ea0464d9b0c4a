"""Actions on processed jobs in a browser: each for one job, for a selection and for all search results."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient

from .test_admin_jobs import LIST, insert

DEAD, RETRYING = f"{LIST}?state=dead", f"{LIST}?state=retrying"


@pytest.fixture
def jobs(database: Path, client: QueueClient, site: object) -> None:
    """Three dead letters and three messages that wait for a retry, each with its row in the history."""
    client.create_queue("testqueue-dead")
    ids = [(client.send_message("testqueue-dead", "x"), "dead") for _ in range(3)]
    ids += [(client.send_message("testqueue", "x", delay=3600), "retrying") for _ in range(3)]
    connection = sqlite3.connect(database)
    for number, (id, state) in enumerate(ids):
        row = {
            **{"queue": "testqueue", "message_id": id, "handler": "jobs.handlers.say", "state": state},
            **{"rc": 1, "attempts": 1, "crashes": 0, "worker": "host:1", "body": "x", "body_is_whole": True},
            **{"error": "KeyError: x", "exception": "KeyError", "result": ""},
            "finished_at": str(datetime.now(UTC) - timedelta(seconds=number)).removesuffix("+00:00"),
        }
        insert(connection, "queueing_job", row)
    connection.commit()
    connection.close()


def open_first(page: Page, path: str) -> None:
    page.goto(path)
    page.locator("#result_list tbody a").first.click()


def select(page: Page, path: str, verb: str, rows: range) -> None:
    """Choose the action for some rows of a list in its menu."""
    page.goto(path)
    for row in rows:
        page.locator("#result_list tbody .action-select").nth(row).check()
    page.select_option("select[name=action]", verb)
    page.click("button[name=index]")


def sure(page: Page, asked: str, said: str) -> None:
    """Check the confirmation page, confirm, and check the result."""
    expect(page.locator("#content")).to_contain_text(asked)
    page.locator(".submit-row [type=submit]").click()
    expect(page.locator(".messagelist li")).to_contain_text(said)


def test_dead_letters_are_redriven(page: Page, jobs: None, client: QueueClient):
    open_first(page, DEAD)
    page.click(".object-tools >> text=Redrive")
    sure(page, "Redrive 1 job?", "1 job was redriven.")
    assert len(client.peek_messages("testqueue-dead")) == 2

    select(page, DEAD, "redrive", range(2))
    sure(page, "Redrive 2 jobs?", "1 job was redriven. 1 skipped: the message is not ready")
    page.goto(DEAD)
    page.click(".queueing-whole >> text=Redrive")
    sure(page, "Redrive 3 jobs?", "1 job was redriven. 2 skipped")
    assert client.peek_messages("testqueue-dead") == []
    assert client.get_queue_attributes("testqueue").msgs == 6


def test_messages_that_wait_for_a_retry_are_cancelled(page: Page, jobs: None, client: QueueClient):
    open_first(page, RETRYING)
    page.click(".object-tools >> text=Cancel")
    page.get_by_role("button", name="No, take me back").click()
    assert client.get_queue_attributes("testqueue").msgs == 3
    page.click(".object-tools >> text=Cancel")
    sure(page, "Cancel 1 job?", "1 job was cancelled.")
    expect(page.locator(".queueing-now")).to_contain_text("The message has left its queue.")
    assert client.get_queue_attributes("testqueue").msgs == 2

    select(page, RETRYING, "cancel", range(2))
    sure(page, "Cancel 2 jobs?", "1 job was cancelled. 1 skipped: the message is not in its queue")
    page.goto(RETRYING)
    page.click(".queueing-whole >> text=Cancel")
    sure(page, "Cancel 3 jobs?", "1 job was cancelled. 2 skipped")
    assert client.get_queue_attributes("testqueue").msgs == 0


def test_jobs_are_deleted_from_the_history(page: Page, jobs: None, client: QueueClient):
    open_first(page, LIST)
    page.click(".object-tools >> text=Delete from the history")
    sure(page, "Delete 1 job from the history?", "1 job was deleted.")
    select(page, LIST, "delete_selected", range(2))
    sure(page, "Delete 2 jobs from the history?", "2 jobs were deleted.")
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    page.click(".queueing-whole >> text=Delete from the history")
    sure(page, "Delete 3 jobs from the history?", "3 jobs were deleted.")
    expect(page.locator(".queueing-none")).to_contain_text("There is no processed job yet")
    assert client.get_queue_attributes("testqueue").msgs == 3
    assert len(client.peek_messages("testqueue-dead")) == 3
