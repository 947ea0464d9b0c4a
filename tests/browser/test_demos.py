"""The demo buttons of the page, pressed by staff: effects of many, slow, failing and delayed messages."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from tests.support.worker_process import WorkerProcess

from .conftest import Visit
from .test_page import MINE, overflow

NAMES = ("100 messages", "1,000 messages", "a slow task", "one that fails twice", "one for later")


def press(page: Page, name: str) -> None:
    page.get_by_role("group", name="Or send").get_by_role("button", name=name, exact=True).click()


def test_each_demo_button_shows_its_effect(
    visit: Visit,
    log_in: Callable[[Page], None],
    client: QueueClient,
    site_worker: Callable[..., WorkerProcess],
):
    page = visit.page()
    log_in(page)
    page.goto("/")
    with site_worker("testqueue", "default", "--threads", "3"):
        press(page, "a slow task")
        bar = page.locator(f"{MINE}[data-state=running] progress")
        expect(bar).to_be_visible()
        expect(bar).to_have_attribute("aria-label", re.compile(r"Progress of \w{32}"))
        expect(bar).to_have_js_property("max", 100)
        expect(bar).to_have_attribute("value", re.compile("[1-9][0-9]"))
        expect(page.locator(f"{MINE} .note")).to_have_text(re.compile(r"\d+\xa0% · \d+ of 40"))
        expect(page.locator(f"{MINE} .task")).to_have_text("jobs.tasks.count")
        expect(page.locator("#notice")).to_have_text("Your message is now running.")

        press(page, "one that fails twice")
        failed = page.locator(f"{MINE}[data-state=retrying]")
        expect(failed.locator(".error")).to_contain_text("ConnectionError")
        expect(failed.locator(".facts")).to_contain_text("attempt 1")
        expect(failed.locator(".due time")).to_be_visible()

        press(page, "one for later")
        expect(page.locator(f"{MINE}[data-state=delayed] .due time")).to_be_visible()

        stumbled = page.locator(".message[data-state=done] .task", has_text="stumble")
        expect(stumbled).to_be_visible()

        press(page, "100 messages")
        expect(page.locator("#notice")).to_have_text(re.compile(r"Sent 100 messages|now \w+"))
        expect(page.locator(".more")).to_contain_text("more ready messages")
        expect(page.locator(".message[data-state=done]").first).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_demo_buttons_work_on_a_phone_by_keyboard_and_without_javascript(
    visit: Visit, log_in: Callable[[Page], None], client: QueueClient, javascript: bool
):
    page = visit.page(width=390, javascript=javascript, dark=True)
    log_in(page)
    page.goto("/")
    assert [button.inner_text() for button in page.locator(".demos button").all()] == list(NAMES)
    page.locator("#send button").focus()
    for _ in NAMES[:3]:
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f"{MINE} .task")).to_have_text("jobs.tasks.count")
    press(page, "1,000 messages")
    expect(page.locator("#notice")).to_contain_text("Sent 1000 messages. The last one is")
    expect(page.locator(".more")).to_contain_text(re.compile(r"and \d+ more ready messages"))
    press(page, "one for later")
    expect(page.locator(f"{MINE}[data-state=delayed]")).to_be_visible()
    assert overflow(page) <= 0
    assert client.get_queue_attributes("testqueue").msgs == 1000


def test_visitors_see_only_the_main_button(visit: Visit):
    page = visit.page()
    page.goto("/")
    assert page.get_by_role("button").count() == 1
