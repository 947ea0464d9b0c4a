"""The pictures: each shows a page at an instructive moment."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from .stage import PASSWORD, USER, Stage
from .work import bad_address, for_later, some_work

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
ADMIN = "/admin/queueing"
#: Width and height of the windows, in CSS pixels.
TALL, LOW, WIDE, PHONE = (1280, 1240), (1280, 800), (1600, 620), (390, 1120)


def opened(browser: Browser, stage: Stage, size: tuple[int, int], *, dark: bool = False) -> Page:
    """A window of a staff user, logged in."""
    page = browser.new_page(
        base_url=stage.web.url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
    )
    page.goto("/admin/login/")
    page.fill("#id_username", USER)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")
    return page


def keep(page: Page, name: str) -> None:
    """Take the picture, without a blinking cursor or a button under the mouse."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement?.blur()")
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
    page.close()


def the_page(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, TALL)
    page.goto("/")
    for button in ("100 messages", "one for later", "one that fails twice", "a slow task", "Send a message"):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#notice")).to_contain_text("Sent")
    expect(page.locator("progress")).to_have_attribute("value", re.compile("[3-9][0-9]"), timeout=60_000)
    expect(page.locator(".message[data-state=retrying]")).to_be_visible(timeout=20_000)
    keep(page, "page")


def the_page_on_a_phone(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, PHONE, dark=True)
    page.goto("/")
    page.get_by_role("button", name="a slow task").click()
    expect(page.locator(".message[data-mine] progress")).to_be_visible(timeout=60_000)
    keep(page, "page-phone")


def the_queues(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, LOW)
    some_work(stage.client, 60)
    stage.client.pause_queue("invoices")
    page.goto(f"{ADMIN}/queue/")
    keep(page, "queues")


def the_queues_on_a_phone(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, PHONE, dark=True)
    page.goto(f"{ADMIN}/queue/")
    keep(page, "queues-phone")
    stage.client.resume_queue("invoices")


def a_queue(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, TALL)
    page.goto(f"{ADMIN}/queue/emails/change/")
    keep(page, "queue")


def its_messages(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, LOW)
    for_later(stage.client, 8)
    page.goto(f"{ADMIN}/queue/emails/messages/?which=last")
    expect(page.locator("[name=ids]").nth(7)).to_be_visible()
    keep(page, "messages")


def the_workers(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, WIDE)
    page.goto(f"{ADMIN}/worker/")
    some_work(stage.client, 1500)  # longer than the pause between two heartbeats of all workers
    expect(page.locator("[data-state=busy]")).to_have_count(len(stage.workers), timeout=60_000)
    keep(page, "workers")


def the_jobs(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, TALL)
    page.goto(f"{ADMIN}/job/")
    keep(page, "jobs")


def the_jobs_on_a_phone(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, PHONE)
    page.goto(f"{ADMIN}/job/?state=dead")
    page.evaluate("document.querySelector('#result_list').scrollIntoView()")
    keep(page, "jobs-phone")


def a_job(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, TALL)
    page.goto(f"{ADMIN}/job/?state=dead&queue=emails")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator("#content")).to_contain_text(bad_address())
    keep(page, "job")


def the_failures(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, LOW)
    page.goto(f"{ADMIN}/job/failures/")
    expect(page.locator("#content")).to_contain_text("MailboxUnavailable")
    keep(page, "failures")


def a_question(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, LOW)
    page.goto(f"{ADMIN}/job/?state=dead")
    page.locator(".queueing-whole a", has_text="Redrive").click()
    expect(page.locator("#content")).to_contain_text("Redrive")
    keep(page, "question")


def the_schedules(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, LOW)
    page.goto(f"{ADMIN}/schedule/")
    expect(page.locator("tr[data-key]")).to_have_count(3)
    keep(page, "schedules")


def the_charts(browser: Browser, stage: Stage) -> None:
    page = opened(browser, stage, TALL, dark=True)
    page.goto(f"{ADMIN}/queue/charts/?range=day")
    keep(page, "charts")


ALL: tuple[Callable[[Browser, Stage], None], ...] = (
    the_page, the_page_on_a_phone, the_queues, the_queues_on_a_phone, a_queue, its_messages, the_charts,
    the_workers, the_jobs, the_jobs_on_a_phone, a_job, the_failures, a_question, the_schedules,
)  # fmt: skip
