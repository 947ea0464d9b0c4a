"""Messages that have never run are cancelled in a browser, with and without JavaScript."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient

from .conftest import Visit

QUEUE = "/admin/queueing/queue/testqueue/"


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (390, False)])
def test_selected_messages_and_a_single_one_are_cancelled(
    visit: Visit, log_in: Callable[[Page], None], client: QueueClient, width: int, javascript: bool
):
    ids = client.send_messages("testqueue", ["a", "b", "c"])
    page = visit.page(width=width, javascript=javascript)
    log_in(page)
    page.goto(f"{QUEUE}messages/")
    for id in ids[:2]:
        page.get_by_label(f"Select the message {id}").check()
    page.get_by_role("button", name="Cancel selected messages …").click()
    expect(page.locator("#content")).to_contain_text("Cancel 2 messages of testqueue?")
    # Wait until the link back is gone, or the next step would follow it.
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
    page.get_by_role("button", name="Cancel selected messages …").click()
    page.locator(".submit-row [type=submit]").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Cancelled 2 messages of testqueue.")
    assert client.get_queue_attributes("testqueue").msgs == 0
