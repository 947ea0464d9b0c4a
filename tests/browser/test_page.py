"""The button, pressed in a browser: ready, running, done, without a reload."""

import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from tests.support.redis_server import RedisServer
from tests.support.worker_process import WorkerProcess

from .conftest import Visit
from .shared_site import SharedSite

#: Records each state in the row of the visitor's message. A navigation would delete the record.
WATCH = """() => {
    window.states = [];
    const look = () => {
        const row = document.querySelector(".message[data-mine]");
        if (row && window.states.at(-1) !== row.dataset.state) window.states.push(row.dataset.state);
    };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""
BUTTON = "form#send button"
MINE = ".message[data-mine]"


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_a_message_becomes_ready_running_and_done_without_a_navigation(
    visit: Visit, site_worker: Callable[..., WorkerProcess]
):
    page = visit.page()
    page.goto("/")
    page.evaluate(WATCH)
    page.click(BUTTON)
    expect(page.locator(f"{MINE}[data-state=ready]")).to_be_visible()
    with site_worker("testqueue"):
        expect(page.locator(f"{MINE}[data-state=done]")).to_be_visible()
        assert page.evaluate("window.states") == ["ready", "running", "done"]
        message_id = page.locator(f"{MINE} .id").inner_text()
        assert re.fullmatch(r"[a-zA-Z0-9]{32}", message_id)
        expect(page.locator(f"{MINE} .text")).to_have_text(re.compile(r"^Hello World at \d{4}-\d\d-\d\dT"))

        page.click(BUTTON)
        expect(page.locator(f"{MINE} .id")).not_to_have_text(message_id)
        expect(page.locator(f"{MINE}[data-state=done]")).to_be_visible()
        assert page.locator(".message[data-state=done]").count() == 2
        assert page.evaluate("window.states")[-1] == "done", "still the same document"


def test_the_rows_of_other_visitors_change_too(
    visit: Visit, site: SharedSite, client: QueueClient, site_worker: Callable[..., WorkerProcess]
):
    page = visit.page()
    page.goto("/")
    with site_worker("testqueue"):
        message_id = client.send_message("testqueue", "from somewhere else")
        row = page.locator(f'.message[data-id="{message_id}"]')
        expect(row).to_have_attribute("data-state", "done")


def test_without_javascript_the_button_works_and_a_reload_shows_the_state(
    visit: Visit, site_worker: Callable[..., WorkerProcess]
):
    page = visit.page(javascript=False)
    page.goto("/")
    with site_worker("testqueue") as worker:
        page.click(BUTTON)
        page.wait_for_url(re.compile(r"\?sent="))
        expect(page.locator(MINE)).to_be_visible()
        worker.wait_for_line("Hello World")
        for _ in range(40):
            if page.locator(f"{MINE}[data-state=done]").count():
                break
            page.click("a.refresh")
        else:
            pytest.fail(f"never done: {page.locator(MINE).inner_text()}\n{worker.tail()}")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_message_makes_the_page_wider_than_the_window(visit: Visit, client: QueueClient, width: int):
    page = visit.page(width=width)
    page.goto("/")
    for body in (
        "W" * 3000,
        "<script>window.hacked = true</script><b>bold</b>",
        "\u202eright to left",
        "\x00",
        "",
    ):
        client.send_message("testqueue", body)
    page.reload()
    assert page.locator(".message").count() == 5
    assert page.locator(".message b").count() == 0
    assert page.evaluate("window.hacked") is None
    assert overflow(page) <= 0
    button = page.locator(BUTTON).bounding_box()
    assert button is not None
    assert button["y"] + button["height"] < 900, "the button is seen without scrolling"


def test_the_buttons_are_disabled_while_redis_is_away(visit: Visit, redis_server: RedisServer):
    page = visit.page()
    page.goto("/")
    button = page.get_by_role("button", name="Send a message")
    expect(button).to_be_enabled()

    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        expect(page.locator(".banner[role=alert]")).to_contain_text("Redis does not answer")
        expect(button).to_be_disabled()
        button.click(force=True)
        expect(page.locator("#notice")).to_be_empty()
        page.reload()
        expect(button).to_be_disabled()
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)

    expect(button).to_be_enabled()
    button.click()
    expect(page.locator("#notice")).to_contain_text("Sent")
