"""Actions on queues in a browser: each once, with and without JavaScript, on a desktop and on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from queueing.client import QueueClient
from tests.support.waiting import HANG_SECONDS

from .conftest import Visit
from .shared_site import SharedSite
from .test_page import overflow

QUEUE = "/admin/queueing/queue/"
WORK = f"{QUEUE}work/"
#: More messages than a machine moves within the time of one request (see ``apps``) ...
SEVERAL = 5_000
#: ... and more than it moves before a person who follows the work can stop it.
MANY = 30_000
ACTIONS = ("send", "messages", "pause", "redrive", "move", "purge", "delete", "history", "change")


@pytest.fixture
def queue(visit: Visit, client: QueueClient) -> QueueClient:
    """``work`` with three messages and a dead letter, beside ``other`` and data of a foreign program."""
    for name in ("work", "work-dead", "other"):
        client.create_queue(name)
    client.send_messages("work", ['{"to": "ada@example.com", "n": 12345678901234567890}', "b", "c"])
    client.send_message("work-dead", "dead")
    foreign = "<script>alert(1)</script>\u202e"
    client.redis.sadd("rsmq:QUEUES", foreign, b"caf\xe9")
    for name in (foreign.encode(), b"caf\xe9"):
        client.redis.hset(b"rsmq:" + name + b":Q", mapping={"vt": 30, "delay": 0, "maxsize": 65536})
    return client


def confirm(page: Page, said: str) -> None:
    """Press the main button of the page, and return the message that it shows."""
    page.click(".submit-row [type=submit]")
    expect(page.locator(".messagelist .success")).to_contain_text(said)


def test_each_action_on_a_queue_works(page: Page, queue: QueueClient):
    page.goto(QUEUE)
    page.click(".object-tools >> text=Add queue")
    page.fill("#id_name", "fresh")
    page.click("[name=_save]")
    expect(page.locator(".messagelist .success")).to_contain_text("fresh")

    page.goto(f"{WORK}change/")
    page.click(".object-tools >> text=Send message")
    page.fill("#id_body", "from a browser\nin two lines")
    confirm(page, "Sent the message")
    assert queue.peek_messages("work", newest=True, count=1)[0].body == "from a browser\nin two lines"

    page.click(".object-tools >> text=Pause")
    confirm(page, "Paused work")
    expect(page.locator(".queueing-state[data-state=paused]")).to_be_visible()
    page.click(".object-tools >> text=Resume")
    confirm(page, "Resumed work")

    page.fill("#id_max_receive_count", "7")
    page.click("[name=_continue]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert queue.get_queue_policy("work").max_receive_count == 7

    page.goto(f"{QUEUE}work-dead/messages/")
    page.check("[name=ids]")
    page.click("text=Redrive selected messages to work")
    confirm(page, "Moved 1 message from work-dead to work.")

    page.goto(f"{WORK}messages/{queue.send_message('work', 'never mind', delay=60)}/")
    page.click(".object-tools >> text=Cancel")
    confirm(page, "Cancelled 1 message")

    page.click(".object-tools >> text=Move")
    page.fill("#id_target", "other")
    page.fill("#id_count", "2")
    confirm(page, "Moved 2 messages from work to other.")

    page.click(".object-tools >> text=Purge")
    expect(page.locator("#content")).to_contain_text("Delete 3 messages of work?")
    confirm(page, "Deleted 3 messages of work.")

    page.click(".deletelink")
    page.click("text=No, take me back")
    page.click(".deletelink")
    page.click("[type=submit] >> text=Yes, I’m sure")
    expect(page.locator(".messagelist .success")).to_contain_text("was deleted successfully")
    assert "work" not in queue.list_queues()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_no_page_is_wider_than_the_window_or_lacks_a_label(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient, width: int, dark: bool
):
    page = visit.page(width=width, dark=dark)
    log_in(page)
    id = queue.send_message("work", "W" * 3000, headers={"W" * 500: "W" * 500})
    paths = ["", "add/", *(f"work/{action}/" for action in ACTIONS), f"work/messages/{id}/"]
    troubles = []
    for path in paths:
        page.goto(QUEUE + path)
        if overflow(page) > 0:
            troubles.append(f"{path} is {overflow(page)} too wide")
        if unlabelled := page.evaluate(UNLABELLED):
            troubles.append(f"{path}: no label for {unlabelled}")
        if page.locator("h1").count() < 1:
            troubles.append(f"{path} has no heading")
    assert not troubles


#: The names of the fields on a page that have no name for screen readers.
UNLABELLED = """() => [...document.querySelectorAll("#content input, #content select, #content textarea")]
    .filter(field => !["hidden", "submit"].includes(field.type))
    .filter(field => !field.labels.length && !field.getAttribute("aria-label"))
    .map(field => field.name)"""


def test_a_purge_can_be_confirmed_from_the_keyboard(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    page = visit.page()
    log_in(page)
    page.goto(f"{WORK}purge/")
    button = page.locator(".submit-row [type=submit]")
    for _press in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_contain_text("Deleted 3 messages of work.")


def test_names_of_foreign_programs_are_shown_as_text(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    page = visit.page()
    log_in(page)
    page.goto(QUEUE)
    expect(page.locator("#result_list")).to_contain_text("<script>alert(1)</script>\\u202e")
    expect(page.locator("#result_list")).to_contain_text("caf\\udce9")
    page.click("#result_list >> text=<script>")
    expect(page.locator(".errornote")).to_contain_text("The queue can be viewed here, but not changed")
    assert page.locator(".deletelink, [name=_save]").count() == 0


def test_the_content_security_policy_stops_inline_code(
    visit: Visit, log_in: Callable[[Page], None], site: SharedSite
):
    page = visit.page()
    log_in(page)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.wasRun = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.wasRun") is None
    # Chromium's message in the console, and the event of the refusal, which every visited page records.
    assert sorted("Content Security Policy" in trouble for trouble in visit.troubles) == [False, True]
    assert any("refused script-src-elem inline" in trouble for trouble in visit.troubles)
    visit.troubles.clear()


def test_moving_many_messages_continues_by_itself_until_it_is_stopped(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    queue.send_messages("work", ["x"] * MANY)
    page = visit.page()
    log_in(page)
    page.goto(f"{WORK}move/")
    page.fill("#id_target", "other")
    page.click(".submit-row [type=submit]")

    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_focused()
    expect(page.locator(".closelink")).to_be_hidden()
    expect(page.locator("[data-steps-trouble]")).to_be_hidden()
    page.evaluate("window.sameDocument = true")
    bar = page.locator("progress")
    before = int(bar.get_attribute("value") or 0)
    expect(bar).not_to_have_attribute("value", str(before))
    stop.click()
    expect(page.get_by_role("button", name="Stop here")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    moved = int(bar.get_attribute("value") or 0)
    assert before < moved < MANY
    assert queue.get_queue_attributes("other").msgs == moved
    page.wait_for_timeout(1500)
    assert queue.get_queue_attributes("other").msgs == moved

    page.get_by_role("button", name="Continue").click()
    # Hundreds of requests: on a busy machine they take longer than a single wait.
    done = page.locator(".messagelist .success")
    expect(done).to_contain_text(f"Moved {MANY + 3} messages", timeout=5 * HANG_SECONDS * 1000)
    assert queue.get_queue_attributes("other").msgs == MANY + 3


def test_moving_many_messages_continues_by_a_button_without_javascript(
    visit: Visit, log_in: Callable[[Page], None], queue: QueueClient
):
    queue.send_messages("other", ["x"] * SEVERAL)
    page = visit.page(width=390, javascript=False)
    log_in(page)
    page.goto(f"{QUEUE}other/move/")
    page.fill("#id_target", "work")
    with page.expect_navigation():
        page.click(".submit-row [type=submit]")

    left = SEVERAL
    go_on = page.get_by_role("button", name="Continue", exact=True)
    while go_on.count():
        before, left = left, queue.get_queue_attributes("other").msgs
        assert left < before
        expect(page.get_by_role("status")).to_contain_text(f"{SEVERAL - left} of {SEVERAL} done.")
        expect(page.get_by_role("progressbar")).to_have_attribute("value", str(SEVERAL - left))
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
        expect(page.get_by_role("button", name="Stop here")).to_be_visible()
        assert overflow(page) <= 0
        with page.expect_navigation():
            go_on.click()
    assert left < SEVERAL, "all was moved in one step: the button to continue was not needed"
    expect(page.locator(".messagelist .success")).to_contain_text(
        f"Moved {SEVERAL} messages from other to work."
    )
    assert queue.get_queue_attributes("other").msgs == 0
