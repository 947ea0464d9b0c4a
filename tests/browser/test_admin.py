"""The admin in a browser: the queue with its attributes, and the processed job."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .conftest import Visit, fill_in
from .test_page import overflow

ATTRIBUTES = ("vt", "delay", "maxsize", "totalrecv", "totalsent", "created", "modified", "msgs", "hiddenmsgs")
COUNTS = ("ready", "delayed", "running", "dead", "oldest")
PAGES = ("queueing/queue/", "queueing/queue/testqueue/change/", "queueing/job/")


@pytest.fixture
def done(visit: Visit, client: QueueClient, diary: Diary, site_worker: Callable[..., WorkerProcess]) -> str:
    """The id of a message that a worker has processed."""
    text = "Hello World at noon <b>in bold</b>"
    with site_worker("testqueue") as worker:
        eventually(lambda: "testqueue" in client.list_queues(), of=worker)
        message_id = client.send_message("testqueue", text)
        eventually(lambda: message_id in diary.ids("done"), of=worker)
    return message_id


def test_the_admin_shows_the_queue_with_its_attributes_and_the_processed_job(visit: Visit, done: str):
    page = visit.page()
    fill_in(page)
    page.click("text=Queues")
    page.click("text=Show the attributes of RSMQ")
    page.wait_for_url("**/?attributes=1")
    headings = " ".join(page.locator("#result_list thead").inner_text().lower().split())
    for name in (*ATTRIBUTES, *COUNTS):
        assert re.search(rf"\b{name}\b", headings), f"{name} in {headings}"
    page.click("#result_list >> text=testqueue")
    expect(page.locator("#id_vt")).to_have_value("30")

    page.goto("/admin/")
    page.click("text=Processed jobs")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.click(f"#result_list >> text={done}")
    expect(page.locator("#content")).to_contain_text("Hello World at noon <b>in bold</b>")
    assert page.locator("#content b", has_text="in bold").count() == 0


def test_the_visibility_timeout_of_a_queue_can_be_edited(
    visit: Visit, log_in: Callable[[Page], None], done: str, client: QueueClient
):
    page = visit.page()
    log_in(page)
    page.goto("/admin/queueing/queue/testqueue/change/")
    page.fill("#id_vt", "45")
    page.click("[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert client.get_queue_attributes("testqueue").vt == 45


@pytest.fixture
def wide(visit: Visit, client: QueueClient, diary: Diary, site_worker: Callable[..., WorkerProcess]) -> str:
    """The id of a processed message of maximal width, run by a worker with a name of maximal width."""
    message_id = "hofnoo4h3u" + "W" * 22
    client.redis.hset("rsmq:testqueue:Q", message_id, "W" * 3000)
    client.redis.zadd("rsmq:testqueue", {message_id: 0})
    with site_worker("testqueue", "--name", "W" * 60) as worker:
        eventually(lambda: message_id in diary.ids("done"), of=worker)
    return message_id


def test_no_admin_page_is_wider_than_the_window(
    visit: Visit, log_in: Callable[[Page], None], wide: str, client: QueueClient
):
    client.send_message("testqueue", "W" * 3000)
    too_wide = []
    for width in (390, 1280):
        page = visit.page(width=width)
        log_in(page)
        for path in PAGES:
            page.goto(f"/admin/{path}")
            too_wide += [(width, path, overflow(page))] if overflow(page) > 0 else []
        with page.expect_navigation():
            page.click(f"#result_list >> text={wide}")
        too_wide += [(width, "job", overflow(page))] if overflow(page) > 0 else []
    assert not too_wide
