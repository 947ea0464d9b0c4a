"""Messages that have never run are cancelled in a browser, with and without JavaScript."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient

from .conftest import Visit

QUEUE = "/admin/queueing/queue/testqueue/"


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (390, False)])
def test_ticked_ones_and_the_one_of_a_page(
    visit: Visit, log_in: Callable[[Page], None], client: QueueClient, width: int, javascript: bool
):
    ids = client.send_messages("testqueue", ["a", "b", "c"])
    page = visit.page(width=width, javascript=javascript)
    log_in(page)
    page.goto(f"{QUEUE}messages/")
    for id in ids[:2]:
        page.get_by_label(f"Select the message {id}").check()
    page.get_by_role("button", name="Cancel the selected …").click()
    expect(page.locator("#content")).to_contain_text("Cancel 2 messages of testqueue?")
    # The way back is gone before the next one begins, or it would lead away from there.
    with page.expect_navigation():
        page.get_by_role("button", name="No, take me back").click()
    assert client.get_queue_attributes("testqueue").msgs == 3

    page.goto(f"{QUEUE}messages/{ids[0]}/")
    page.locator(".object-tools").get_by_role("link", name="Cancel").click()
    expect(page.locator("#content")).to_contain_text("Cancel 1 message of testqueue?")
    page.locator(".submit-row [type=submit]").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Cancelled 1 message of testqueue.")

    page.goto(f"{QUEUE}messages/")
    for id in ids[1:]:
        page.get_by_label(f"Select the message {id}").check()
    page.get_by_role("button", name="Cancel the selected …").click()
    page.locator(".submit-row [type=submit]").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Cancelled 2 messages of testqueue.")
    assert client.get_queue_attributes("testqueue").msgs == 0
