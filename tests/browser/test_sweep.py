"""Every page, in each environment: no error occurs, nothing is too wide, and all elements have names.

The test finds pages by following links from the first one, so that a new page is included, too.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Page

from queueing.client import QueueClient
from tests.support.diary import Diary
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

from .conftest import Visit
from .test_page import overflow

#: Start pages, the last one first. ``testqueue`` is the queue with most possible actions.
START = ("/", "/admin/", "/admin/queueing/", "/admin/queueing/queue/testqueue/change/")
#: Only pages of this app are visited, and no links that leave the admin.
SWEPT = re.compile(r"/(admin/(queueing/.*)?)?$")
LEFT_OUT = re.compile(r"logout|/export|\.csv|/live/")
#: Pages that differ only in their row or queue are of one kind.
ROW = re.compile(r"(?<=/)([A-Za-z0-9]{32}|\d+|(testqueue|default)[\w-]*)(?=/)")
MOST = 60

#: The innermost elements that are wider than the window.
STICKS_OUT = """() => [...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth)
    .filter((element, index, all) => !all.some(other => other !== element && element.contains(other)))
    .map(element => element.outerHTML.slice(0, 120))"""
FLAWS = Path(__file__).with_name("flaws.js").read_text()
#: Records the focused elements. The bubbling event reaches the whole page, including later elements.
LISTEN = """() => {
    window.focused = new Set();
    document.addEventListener("focusin", (event) => window.focused.add(event.target));
}"""
#: Inputs and controls that did not get the focus. One radio button counts for its whole group.
NOT_FOCUSED = """() => {
    const names = new Set([...window.focused].filter((one) => one.type === "radio").map((one) => one.name));
    return [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled)
        .filter((one) => !window.focused.has(one) && !(one.type === "radio" && names.has(one.name)))
        .map((one) => `Tab does not reach: ${one.outerHTML.slice(0, 120)}`);
}"""
#: Presses of Tab per step, and the maximum: the longest page has about 150 stops.
TABS, ROUNDS = 25, 16


@pytest.fixture
def busy(
    visit: Visit, client: QueueClient, diary: Diary, site_worker: Callable[..., WorkerProcess]
) -> QueueClient:
    """A site with data of each kind: queues with and without messages, jobs, a failure, a worker."""
    with site_worker("testqueue") as worker:
        eventually(lambda: "testqueue" in client.list_queues(), of=worker)
        id = client.send_message("testqueue", json.dumps({"to": "ada@example.com", "text": "W" * 500}))
        eventually(lambda: id in diary.ids("done"), of=worker)
    for name in ("testqueue-dead", "default"):  # a schedule belongs to the latter
        client.create_queue(name)
    client.send_message("testqueue-dead", "<b>dead</b>")
    client.send_messages("testqueue", ["waits", "W" * 3000])
    return client


def paths_on(page: Page) -> dict[str, str]:
    """The pages that a page links to: kind of page -> one of that kind."""
    links = page.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    found: dict[str, str] = {}
    for link in links:
        parts = urlsplit(urljoin(page.url, link))
        is_ours = urlsplit(page.url).netloc == parts.netloc and SWEPT.match(parts.path)
        if is_ours and not LEFT_OUT.search(link):
            found.setdefault(ROW.sub("…", parts.path), f"{parts.path}?{parts.query}".rstrip("?"))
    return found


def troubles_on(page: Page) -> list[str]:
    """The faults of the page, on a desktop and on a phone."""
    found = page.evaluate(FLAWS)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        if overflow(page) > 0:
            found.append(f"{overflow(page)} px too wide at {width}: {page.evaluate(STICKS_OUT)}")
    return found


def out_of_reach(page: Page) -> list[str]:
    """The elements that the keyboard does not reach from the beginning of the page."""
    page.evaluate(LISTEN)
    for _ in range(ROUNDS):
        for _ in range(TABS):
            page.keyboard.press("Tab")
        left = page.evaluate(NOT_FOCUSED)
        if not left:
            break
    return left


def sweep(page: Page, look: Callable[[Page], list[str]]) -> dict[str, list[str]]:
    """Visit one page of each kind, for a user who is logged in. Returns what ``look`` finds on each."""
    waiting = {ROW.sub("…", path): path for path in START}
    visited: dict[str, list[str]] = {}
    while waiting and len(visited) < MOST:
        kind, path = waiting.popitem()
        page.goto(path)
        assert urlsplit(page.url).path == urlsplit(path).path, "led elsewhere: it would not be seen"
        visited[kind] = look(page)
        waiting |= {kind: path for kind, path in paths_on(page).items() if kind not in visited}
    assert len(visited) >= 28, sorted(visited)
    return visited


@pytest.mark.parametrize(("javascript", "dark"), [(True, False), (False, True)])
def test_every_page_of_the_admin_is_free_of_faults(
    visit: Visit, log_in: Callable[[Page], None], busy: QueueClient, javascript: bool, dark: bool
):
    page = visit.page(javascript=javascript, dark=dark)
    log_in(page)
    # The focus can be recorded only with JavaScript. The markup is the same without it.
    found = sweep(page, lambda page: (out_of_reach(page) if javascript else []) + troubles_on(page))
    assert {kind: troubles for kind, troubles in found.items() if troubles} == {}
